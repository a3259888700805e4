#pragma once

#include <pybind11/eigen.h>
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ichdet/core/array.hpp"
#include "ichdet/core/error.hpp"

namespace ichdet::python {

namespace py = pybind11;

/// Lets go of the NumPy array whose memory an Array borrows.
struct ReleaseNumpy {
  void operator()(const void* held) const {
    const py::gil_scoped_acquire locked;
    delete static_cast<const py::array*>(held);
  }
};

inline std::string shape_text(const py::array& values) {
  std::string text = "(";
  for (py::ssize_t axis = 0; axis < values.ndim(); ++axis) {
    text += (axis ? ", " : "") + std::to_string(values.shape(axis));
  }
  return text + ")";
}

/// An Array that borrows a NumPy array's memory; copied first only where it is not C-contiguous or of another type.
template <class T, std::size_t N>
Array<T, N> borrow(py::array_t<T, py::array::c_style | py::array::forcecast> values,
                   const std::string& name = "array") {
  if (values.ndim() != py::ssize_t(N)) {
    throw Error::mismatch(ErrorCode::shape, name, std::to_string(N) + " axes",
                          std::to_string(values.ndim()) + ", shape " + shape_text(values));
  }
  typename Array<T, N>::Shape shape;
  for (std::size_t axis = 0; axis < N; ++axis) shape[axis] = values.shape(py::ssize_t(axis));
  auto* data = const_cast<T*>(values.data());
  std::shared_ptr<const void> owner(new py::array(std::move(values)), ReleaseNumpy{});
  return Array<T, N>(data, shape, std::move(owner));
}

/// Whether Python may write to an Array's memory: not where it was borrowed from a NumPy array that is read-only.
template <class T, std::size_t N>
bool writeable(const Array<T, N>& values) {
  return !std::get_deleter<ReleaseNumpy>(values.owner()) ||
         static_cast<const py::array*>(values.owner().get())->writeable();
}

/// A NumPy array that shares an Array's memory and keeps it alive.
template <class T, std::size_t N>
py::array_t<T> lend(Array<T, N> values) {
  auto* holder = new Array<T, N>(values);
  const py::capsule owner(holder, [](void* held) { delete static_cast<Array<T, N>*>(held); });
  py::array_t<T> lent(std::vector<py::ssize_t>(values.shape().begin(), values.shape().end()), values.data(), owner);
  if (!writeable(values)) py::detail::array_proxy(lent.ptr())->flags &= ~py::detail::npy_api::NPY_ARRAY_WRITEABLE_;
  return lent;
}

}  // namespace ichdet::python
