#pragma once

#include <ATen/core/Tensor.h>

// Normalisation over channels-last memory (…, y, x, channel), float32 or bfloat16, where LibTorch has neither a fused
// nor a fast form. Sums are in fixed pieces, so the result does not depend on threads.
namespace ichdet::nn {

/// (x - mean) / sqrt(variance + epsilon) * weight + bias over each sample's channel, times `slope` where negative.
/// Weight and bias: float32 of C values, or undefined. The result is `x` itself where `overwrite`.
at::Tensor instance_norm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, double epsilon,
                         float slope, bool overwrite);

/// x * scale[c] + shift[c], times `slope` where negative.
at::Tensor scale_shift(const at::Tensor& x, const at::Tensor& scale, const at::Tensor& shift, float slope,
                       bool overwrite);

}  // namespace ichdet::nn
