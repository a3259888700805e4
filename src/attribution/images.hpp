#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace ichdet::attribution {

/// The input outside any graph. Throws Error(shape) unless it is (image, channel, y, x) or (image, channel, z, y, x) of
/// float32 or float64.
at::Tensor images(const at::Tensor& input);

/// Factors, one an image, shaped so that they multiply tensors of the input's axes.
at::Tensor for_each_image(const at::Tensor& factors, const at::Tensor& input);

/// A baseline of the input's shape and type. Throws Error(shape) where it does not broadcast to that.
at::Tensor expanded_baseline(const at::Tensor& baseline, const at::Tensor& input);

/// One number for each spatial axis of an input; `given` may be one for all. Throws Error(options) for others, and for
/// numbers below 1.
std::vector<std::int64_t> for_each_axis(const char* name, const std::vector<std::int64_t>& given, std::int64_t axes);

}  // namespace ichdet::attribution
