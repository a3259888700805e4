#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "ichdet/attribution/baseline.hpp"
#include "ichdet/attribution/completeness.hpp"
#include "ichdet/attribution/explained.hpp"
#include "ichdet/core/progress.hpp"

namespace ichdet::attribution {

struct GuidedIgOptions {
  std::int64_t steps = 200;
  double fraction = 0.25;  ///< of an image's values that move at a time: those with the smallest gradients
  double max_dist = 0.02;  ///< how far a value may be from the straight line; 0: integrated gradients, 1: any distance
  bool completeness = false;
};

/// Guided integrated gradients, Kapishnikov et al., arXiv:2106.09788: along a path that goes first where the gradient
/// is small, so that less noise is picked up on the way. Each step has one gradient, `explained.batch` images at a
/// time.
///
/// `baseline` as for integrated_gradients. Equals the Python package saliency 0.2.1, in float64 apart from the
/// gradients.
///
/// Throws Error(shape) for an input or a baseline of other shapes, Error(options) for no step and for a fraction or
/// distance outside of [0, 1], and Error(cancelled).
Attribution guided_ig(const Explained& explained, const at::Tensor& input, const at::Tensor& baseline,
                      const GuidedIgOptions& options = {}, const Progress& progress = {});
Attribution guided_ig(const Explained& explained, const at::Tensor& input, Baseline baseline,
                      const GuidedIgOptions& options = {}, const Progress& progress = {});

}  // namespace ichdet::attribution
