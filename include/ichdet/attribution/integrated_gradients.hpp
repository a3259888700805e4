#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "ichdet/attribution/baseline.hpp"
#include "ichdet/attribution/completeness.hpp"
#include "ichdet/attribution/explained.hpp"
#include "ichdet/attribution/quadrature.hpp"
#include "ichdet/core/progress.hpp"

namespace ichdet::attribution {

struct IntegratedGradientsOptions {
  std::int64_t steps = 100;
  Quadrature quadrature = Quadrature::riemann;
  bool completeness = false;  ///< asks for the scores of input and baseline, too
};

/// Integrated gradients, Sundararajan et al., arXiv:1703.01365: (input - baseline) times the mean gradient along the
/// straight line between the two.
///
/// `baseline` is of the input's shape, or of one that broadcasts to it. The gradients are summed in float64 as they
/// come, `explained.batch` of them at a time. Equals the Python package saliency 0.2.1 with `riemann`.
///
/// Throws Error(shape) for an input or a baseline of other shapes, Error(options) as quadrature_nodes does, and
/// Error(cancelled).
Attribution integrated_gradients(const Explained& explained, const at::Tensor& input, const at::Tensor& baseline,
                                 const IntegratedGradientsOptions& options = {}, const Progress& progress = {});
Attribution integrated_gradients(const Explained& explained, const at::Tensor& input, Baseline baseline,
                                 const IntegratedGradientsOptions& options = {}, const Progress& progress = {});

/// For each of several baselines. The gradient of the input itself, where all paths end, is taken once.
std::vector<Attribution> integrated_gradients(const Explained& explained, const at::Tensor& input,
                                              const std::vector<at::Tensor>& baselines,
                                              const IntegratedGradientsOptions& options = {},
                                              const Progress& progress = {});

}  // namespace ichdet::attribution
