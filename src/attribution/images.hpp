#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace ichdet::attribution {

/// The input outside any graph. Throws Error(shape) unless it is (image, channel, y, x) or (image, channel, z, y, x) of
/// float32 or float64.
at::Tensor images(const at::Tensor& input);

/// Factors, one an image, shaped so that they multiply tensors of the input's axes.
at::Tensor for_each_image(const at::Tensor& factors, const at::Tensor& input);

}  // namespace ichdet::attribution
