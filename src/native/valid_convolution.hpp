#pragma once

#include <ATen/core/Tensor.h>

#include <functional>

namespace ichdet::native {

/// A 3 x 3 x 3 convolution without padding of (D, H, W, in), by Winograd's algorithm on AVX-512, both numbers of
/// channels multiples of 16; weight is (out, in, 3, 3, 3), bias (out). May be called from several threads at once.
std::function<at::Tensor(const at::Tensor&)> valid_convolution(const at::Tensor& weight, const at::Tensor& bias);

}  // namespace ichdet::native
