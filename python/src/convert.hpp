#pragma once

#include <pybind11/eigen.h>
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "ichdet/core/array.hpp"

namespace ichdet::python {

namespace py = pybind11;

/// An Array that borrows a NumPy array's memory; copied first only where it is not C-contiguous or of another type.
template <class T, std::size_t N>
Array<T, N> borrow(py::array_t<T, py::array::c_style | py::array::forcecast> values) {
  if (values.ndim() != py::ssize_t(N)) {
    throw py::value_error("array: expected " + std::to_string(N) + " axes, found " + std::to_string(values.ndim()));
  }
  typename Array<T, N>::Shape shape;
  for (std::size_t axis = 0; axis < N; ++axis) shape[axis] = values.shape(py::ssize_t(axis));
  auto* data = const_cast<T*>(values.data());
  auto* holder = new py::object(std::move(values));
  std::shared_ptr<const void> owner(holder, [](const void* held) {
    const py::gil_scoped_acquire gil;
    delete static_cast<const py::object*>(held);
  });
  return Array<T, N>(data, shape, std::move(owner));
}

/// A NumPy array that shares an Array's memory and keeps it alive.
template <class T, std::size_t N>
py::array_t<T> lend(Array<T, N> values) {
  auto* holder = new Array<T, N>(values);
  const py::capsule owner(holder, [](void* held) { delete static_cast<Array<T, N>*>(held); });
  return py::array_t<T>(std::vector<py::ssize_t>(values.shape().begin(), values.shape().end()), values.data(), owner);
}

}  // namespace ichdet::python
