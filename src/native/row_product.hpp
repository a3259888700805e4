#pragma once

#include <ATen/core/Tensor.h>

#include <functional>

namespace ichdet::native {

/// x b for a matrix b (in, out) that stays the same, on one thread, on AVX-512; `in` a multiple of four. x is (rows,
/// in) and contiguous. May be called from several threads at once.
std::function<at::Tensor(const at::Tensor& x)> row_product(const at::Tensor& b);

}  // namespace ichdet::native
