#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/from_blob.h>
#include <pybind11/numpy.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "ichdet/core/array.hpp"
#include "ichdet/core/error.hpp"

// NumPy and torch on the same memory.
namespace ichdet::python {

using Floats = pybind11::array_t<float, pybind11::array::c_style | pybind11::array::forcecast>;

/// The array keeps the memory alive.
inline Floats to_numpy(const at::Tensor& tensor) {
  auto* holder = new at::Tensor(tensor.detach().to(at::kFloat).contiguous());
  const pybind11::capsule owner(holder, [](void* held) { delete static_cast<at::Tensor*>(held); });
  return Floats(std::vector<pybind11::ssize_t>(holder->sizes().begin(), holder->sizes().end()),
                holder->data_ptr<float>(), owner);
}

/// Valid while `values` lives.
inline at::Tensor to_tensor(const Floats& values) {
  return at::from_blob(const_cast<float*>(values.data()),
                       std::vector<std::int64_t>(values.shape(), values.shape() + values.ndim()), at::kFloat);
}

inline std::vector<Floats> to_numpy(const std::vector<at::Tensor>& tensors) {
  std::vector<Floats> arrays;
  for (const auto& tensor : tensors) arrays.push_back(to_numpy(tensor));
  return arrays;
}

inline std::vector<at::Tensor> to_tensors(const std::vector<Floats>& arrays) {
  std::vector<at::Tensor> tensors;
  for (const auto& array : arrays) tensors.push_back(to_tensor(array));
  return tensors;
}

/// The same memory as a tensor that autograd may save, which inference mode's own may not be.
inline at::Tensor out_of_inference(const at::Tensor& tensor) {
  if (!tensor.is_inference()) return tensor;
  return at::from_blob(
      tensor.data_ptr(), tensor.sizes(), tensor.strides(), [tensor](void*) {}, tensor.options());
}

inline std::vector<at::Tensor> out_of_inference(std::vector<at::Tensor> tensors) {
  for (auto& tensor : tensors) tensor = out_of_inference(tensor);
  return tensors;
}

/// An Array on a tensor's memory; converted first only where it is not contiguous, not on the CPU or of another type.
template <class T, std::size_t N>
Array<T, N> borrow_tensor(const at::Tensor& tensor) {
  if (tensor.dim() != std::int64_t(N)) {
    throw Error::mismatch(ErrorCode::shape, "tensor", std::to_string(N) + " axes", std::to_string(tensor.dim()));
  }
  const at::Tensor plain = tensor.detach().to(at::kCPU, c10::CppTypeToScalarType<T>::value).contiguous();
  typename Array<T, N>::Shape shape;
  std::copy_n(plain.sizes().begin(), N, shape.begin());
  return Array<T, N>(plain.mutable_data_ptr<T>(), shape, std::make_shared<const at::Tensor>(plain));
}

/// A tensor on an Array's memory.
template <class T, std::size_t N>
at::Tensor lend_tensor(const Array<T, N>& values) {
  return at::from_blob(
      const_cast<T*>(values.data()), std::vector<std::int64_t>(values.shape().begin(), values.shape().end()),
      [values](void*) {}, c10::CppTypeToScalarType<T>::value);
}

}  // namespace ichdet::python
