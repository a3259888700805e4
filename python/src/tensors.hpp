#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/from_blob.h>
#include <pybind11/numpy.h>

#include <cstdint>
#include <vector>

// NumPy and torch on the same memory.
namespace ichdet::python {

using Floats = pybind11::array_t<float, pybind11::array::c_style | pybind11::array::forcecast>;

/// The array keeps the memory alive.
inline Floats to_numpy(const at::Tensor& tensor) {
  auto* holder = new at::Tensor(tensor.contiguous());
  const pybind11::capsule owner(holder, [](void* held) { delete static_cast<at::Tensor*>(held); });
  return Floats(std::vector<pybind11::ssize_t>(holder->sizes().begin(), holder->sizes().end()),
                holder->data_ptr<float>(), owner);
}

/// Valid while `values` lives.
inline at::Tensor to_tensor(const Floats& values) {
  return at::from_blob(const_cast<float*>(values.data()),
                       std::vector<std::int64_t>(values.shape(), values.shape() + values.ndim()), at::kFloat);
}

}  // namespace ichdet::python
