#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "ichdet/attribution/completeness.hpp"
#include "ichdet/attribution/explained.hpp"
#include "ichdet/core/progress.hpp"

namespace ichdet::attribution {

struct BlurIgOptions {
  double max_sigma = 50;  ///< voxels: where the path begins (with `sqrt`, at the root of this)
  std::int64_t steps = 100;
  double grad_step = 0.01;    ///< voxels, over which a blur's change with sigma is taken
  bool sqrt = false;          ///< sigmas are the roots of even steps
  bool completeness = false;  ///< the baseline is the most blurred image
};

/// Blur integrated gradients, Xu et al., arXiv:2004.03383: along the path from a blurred image to a sharp one, so that
/// no baseline has to be chosen, and what is found has a scale. Blurs all spatial axes (gaussian_blur),
/// `explained.batch` steps at a time. Equals the Python package saliency 0.2.1 with its batch_size 1, with which alone
/// that weighs each step as it should.
///
/// Throws Error(shape) for an input of another shape, Error(options) for no step, or a sigma or grad_step that is not
/// above 0, and Error(cancelled).
Attribution blur_ig(const Explained& explained, const at::Tensor& input, const BlurIgOptions& options = {},
                    const Progress& progress = {});

}  // namespace ichdet::attribution
