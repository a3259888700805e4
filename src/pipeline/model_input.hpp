#pragma once

#include <string>
#include <vector>

#include "ichdet/bundle/spec.hpp"
#include "ichdet/core/volume.hpp"
#include "ichdet/pipeline/segmenter.hpp"

// What a model reads of a volume.
namespace ichdet::pipeline {

/// Throws Error(options) where two members of an ensemble cannot share patches and probabilities.
void check_same(const ModelSpec& first, const ModelSpec& other);

/// Throws Error(geometry) unless the grid has the model's spacing and runs along L, P, S.
void check_grid(const Geometry& grid, const ModelSpec& model);

/// The model's input channels (channel, z, y, x).
Array4<float> normalise(const Array3<float>& hu, const std::vector<ChannelSpec>& channels);

/// 1 where the model is asked. Where the region cannot be found, a larger one is taken, and `assumptions` says so.
Array3<std::uint8_t> search_mask(const Volume& volume, SearchRegion region, const ModelSpec& model, int threads,
                                 std::vector<std::string>& assumptions);

}  // namespace ichdet::pipeline
