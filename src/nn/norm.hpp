#pragma once

#include <ATen/core/Tensor.h>

// Normalisation and change of layout over channels-last memory (…, y, x, channel), float32 or bfloat16, where LibTorch
// has neither a fused nor a fast form. Sums are in fixed pieces, so the result does not depend on threads.
namespace ichdet::nn {

/// True for what the functions below take: (N, C, …) of 4 or 5 axes, dense and channels-last.
bool is_channels_last(const at::Tensor& x);

/// (x - mean) / sqrt(variance + epsilon) * weight + bias over each sample's channel, times `slope` where negative.
/// Weight and bias: float32 of C values, or undefined. The result is `x` itself where `overwrite`.
at::Tensor instance_norm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, double epsilon,
                         float slope, bool overwrite);

/// x * scale[c] + shift[c], times `slope` where negative.
at::Tensor scale_shift(const at::Tensor& x, const at::Tensor& scale, const at::Tensor& shift, float slope,
                       bool overwrite);

/// As a plain contiguous float32 tensor with memory of its own.
at::Tensor to_plain(const at::Tensor& x);

}  // namespace ichdet::nn
