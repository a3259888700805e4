#pragma once

#include <array>
#include <string>
#include <vector>

#include "ichdet/bundle/spec.hpp"
#include "ichdet/core/volume.hpp"
#include "ichdet/nn/views.hpp"
#include "ichdet/pipeline/segmenter.hpp"

// What a model reads of a volume.
namespace ichdet::pipeline {

/// Throws Error(options) where two members of an ensemble cannot share patches and probabilities.
void check_same(const ModelSpec& first, const ModelSpec& other);

/// Throws Error(geometry) unless the grid has the model's spacing and runs along L, P, S.
void check_grid(const Geometry& grid, const ModelSpec& model);

/// z, y, x: whether the model's orientation runs against L, P, S.
std::array<bool, 3> against_lps(const ModelSpec& model);

/// Reads patches of `bounds`, a part of the HU beyond which there is the model's padding; boxes count from its first
/// voxel. Nothing is kept but a reference to `hu` and `model`.
BoxReader reader(const Array3<float>& hu, const Box& bounds, const ModelSpec& model);

/// The smallest box that holds every voxel with a channel above 0, as the model reads it; all where there is none.
Box foreground(const Array3<float>& hu, const std::vector<ChannelSpec>& channels);

/// 1 where the model is asked. Where the region cannot be found, a larger one is taken, and `assumptions` says so.
Array3<std::uint8_t> search_mask(const Volume& volume, SearchRegion region, const ModelSpec& model, int threads,
                                 std::vector<std::string>& assumptions);

}  // namespace ichdet::pipeline
