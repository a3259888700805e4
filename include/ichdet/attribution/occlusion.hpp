#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "ichdet/attribution/baseline.hpp"
#include "ichdet/attribution/explained.hpp"
#include "ichdet/core/progress.hpp"

namespace ichdet::attribution {

struct OcclusionOptions {
  std::vector<std::int64_t> size{15};   ///< of the window, in voxels: one number, or y x or z y x
  std::vector<std::int64_t> stride{5};  ///< from window to window, likewise; the last one ends at the border
  bool mean = true;  ///< over the windows that cover a voxel; or their sum, as the public implementation does
};

/// Zeiler and Fergus, arXiv:1311.2901: how much the score falls when a window of the input is hidden, told to all
/// voxels that the window covers: (image, y, x) or (image, z, y, x) in the input's type. Takes scores alone.
///
/// A hidden voxel is the baseline's, which is of the input's shape or of one that broadcasts to it. A sum is lower at
/// the borders, which fewer windows cover. Equals the Python package saliency 0.2.1 with stride 1 and sums.
///
/// Throws Error(shape) for an input or a baseline of other shapes, Error(options) for windows larger than the input,
/// strides larger than the window, either below 1, and Error(cancelled).
at::Tensor occlusion(const Explained& explained, const at::Tensor& input, const at::Tensor& baseline,
                     const OcclusionOptions& options = {}, const Progress& progress = {});
at::Tensor occlusion(const Explained& explained, const at::Tensor& input, Baseline baseline,
                     const OcclusionOptions& options = {}, const Progress& progress = {});

}  // namespace ichdet::attribution
