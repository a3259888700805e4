#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>

#include "ichdet/attribution/explained.hpp"
#include "ichdet/core/progress.hpp"

namespace ichdet::attribution {

/// The score's gradient at the input, of its shape and type: Simonyan et al., arXiv:1312.6034.
at::Tensor gradients(const Explained& explained, const at::Tensor& input);

struct SmoothOptions {
  std::int64_t samples = 25;
  double spread = 0.15;    ///< the noise's standard deviation, as a share of each image's maximum - minimum
  bool squares = true;     ///< the mean of squared attributions, as the public implementation does; or of attributions
  std::uint64_t seed = 0;  ///< the noise is a pure function of seed, sample and voxel, the same for every image
  /// (sample, channel, ...) in standard deviations, in place of the seeded noise; its samples count then.
  at::Tensor noise = {};
};

/// Inputs (image, channel, ...) to attributions of their shape, each image by itself.
using AttributionMethod = std::function<at::Tensor(const at::Tensor& inputs)>;

/// SmoothGrad, Smilkov et al., arXiv:1706.03825, of any method: its mean over noisy copies of the input. `batch`:
/// copies that the method is given at once. Equals the Python package saliency 0.2.1, given the same noise; the seeded
/// noise is counter_normal's.
///
/// Throws Error(shape) for an input, noise or attributions of other shapes, Error(options) for no sample or a negative
/// spread, Error(cancelled), and what the method throws.
at::Tensor smooth(const AttributionMethod& method, const at::Tensor& input, const SmoothOptions& options = {},
                  const Progress& progress = {}, std::int64_t batch = 1);

/// Of gradients, `explained.batch` copies at once.
at::Tensor smooth_gradients(const Explained& explained, const at::Tensor& input, const SmoothOptions& options = {},
                            const Progress& progress = {});

}  // namespace ichdet::attribution
