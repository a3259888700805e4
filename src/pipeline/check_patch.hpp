#pragma once

#include "ichdet/bundle/bundle.hpp"
#include "ichdet/nn/network.hpp"

namespace ichdet::pipeline {

/// Throws Error(weights) that names the bundle and the key where its patches are none that a SegmentationNetwork takes,
/// and answers voxel by voxel.
void check_patch(const Bundle& bundle, const Network& network);

}  // namespace ichdet::pipeline
