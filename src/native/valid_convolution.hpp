#pragma once

#include <ATen/core/Tensor.h>

#include <functional>

#include "sums.hpp"

namespace ichdet::native {

/// A 3 x 3 x 3 convolution without padding of (D, H, W, in), by Winograd's algorithm on AVX-512, both numbers of
/// channels multiples of 16; weight is (out, in, 3, 3, 3). Every output is given to the second argument once, while it
/// is in the cache, on the thread that made it. May be called from several threads at once.
std::function<void(const at::Tensor&, const TakeSums&)> valid_convolution(const at::Tensor& weight);

}  // namespace ichdet::native
