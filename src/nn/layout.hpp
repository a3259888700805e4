#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace ichdet::nn {

/// float32 or bfloat16, (N, C, …) of 4 or 5 axes, dense, with the channel innermost.
bool is_channels_last(const at::Tensor& x);

/// In `type`, and channels-last where it has 4 or 5 axes. May be `x` itself.
at::Tensor to_channels_last(const at::Tensor& x, at::ScalarType type);

/// As a plain contiguous float32 tensor. May be `x` itself.
at::Tensor to_plain(const at::Tensor& x);

/// bfloat16 to float32, and back: to nearest, ties to even.
void widen(const at::BFloat16* x, float* out, std::int64_t n);
void narrow(const float* x, at::BFloat16* out, std::int64_t n);

}  // namespace ichdet::nn
