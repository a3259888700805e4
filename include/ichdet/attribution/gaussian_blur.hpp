#pragma once

#include <ATen/core/Tensor.h>

namespace ichdet::attribution {

/// Images (image, channel, y, x) or (image, channel, z, y, x) blurred along all spatial axes; beyond their borders they
/// are 0. `sigma` in voxels, cut off at 4 sigma, as SciPy's gaussian_filter(mode="constant"). Throws Error(shape) for
/// other inputs, Error(options) for a negative sigma.
at::Tensor gaussian_blur(const at::Tensor& input, double sigma);

/// The same, and how it changes with sigma: (blur(sigma + step) - blur(sigma)) / step, without the rounding error of a
/// difference of two images.
struct BlurSlope {
  at::Tensor blurred;
  at::Tensor slope;
};
BlurSlope gaussian_blur_slope(const at::Tensor& input, double sigma, double step);

}  // namespace ichdet::attribution
