#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "planes.hpp"

namespace ichdet::attribution {

/// Of an image (y, x) or (channel, y, x). Throws Error(shape) for another type than float32 and float64, other axes, no
/// pixel, or values that are not finite.
std::vector<Plane> planes_of(const at::Tensor& image);

/// felzenszwalb.hpp's, of an image's planes.
at::Tensor felzenszwalb_scales(const std::vector<Plane>& planes, at::ArrayRef<double> scales, double sigma,
                               std::int64_t min_size);

}  // namespace ichdet::attribution
