#pragma once

#include <pybind11/eigen.h>
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <memory>
#include <string>
#include <string_view>
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

/// Masks and labels as bytes. uint8 and bool as they lie where C-contiguous.
enum class ByteValues {
  mask,    ///< of other numbers, whatever is not 0 is inside
  labels,  ///< other whole numbers from 0 to 255 are copied; all else is refused
};

inline py::array_t<std::uint8_t> to_bytes(const py::array& values, ByteValues what) {
  const char kind = values.dtype().kind();
  if (kind == 'b') return py::array_t<std::uint8_t>(py::array(values.attr("view")("uint8")));
  if (kind == 'u' && values.itemsize() == 1) return py::array_t<std::uint8_t>(values);
  if (what == ByteValues::mask && (kind == 'u' || kind == 'i' || kind == 'f')) {
    return py::array_t<std::uint8_t>(
        py::array(py::array(values.attr("__ne__")(py::int_(0))).attr("view")("uint8")));
  }
  const auto expected = what == ByteValues::mask ? "bool or numbers" : "bool or whole numbers from 0 to 255";
  if (kind != 'u' && kind != 'i') {
    throw Error::mismatch(ErrorCode::shape, "array", expected, std::string(py::str(values.dtype())));
  }
  if (values.size() > 0) {
    for (const char* end : {"min", "max"}) {
      const py::int_ value(values.attr(end)());
      if (value < py::int_(0) || value > py::int_(255)) {
        throw Error::mismatch(ErrorCode::shape, "array", expected, std::string(py::str(value)));
      }
    }
  }
  return py::array_t<std::uint8_t>(py::array(values.attr("astype")("uint8")));
}

/// An argument: (N axes) bytes, from whatever NumPy can read.
template <ByteValues what, std::size_t N>
struct BytesArgument {
  Array<std::uint8_t, N> values;
};
template <std::size_t N>
using Mask = BytesArgument<ByteValues::mask, N>;
template <std::size_t N>
using Labels = BytesArgument<ByteValues::labels, N>;

/// An argument: (N axes) float32, from whatever NumPy can read: arrays, tensors, volumes, lists. As they lie where
/// C-contiguous and float32, else copied.
template <std::size_t N>
struct Floats32 {
  Array<float, N> values;
};

/// Calls `f` without the interpreter's lock and gives what it returns.
template <class F>
auto unlocked(F&& f) {
  const py::gil_scoped_release release;
  return f();
}

/// What NumPy makes of an argument; nothing, and no Python error, where it cannot read it.
inline py::array read_array(const py::handle& source) {
  auto values = py::array::ensure(source);
  if (!values && py::hasattr(source, "detach")) {
    throw Error::mismatch(ErrorCode::shape, "tensor", "one that NumPy can read (x.detach().cpu())",
                          "requires_grad=" + std::string(py::str(source.attr("requires_grad"))) + ", device " +
                              std::string(py::str(source.attr("device"))));
  }
  return values;
}

}  // namespace ichdet::python

namespace pybind11::detail {

template <std::size_t N>
struct type_caster<ichdet::python::Floats32<N>> {
  PYBIND11_TYPE_CASTER(ichdet::python::Floats32<N>, const_name("numpy.typing.ArrayLike"));

  bool load(handle source, bool) {
    const auto values = ichdet::python::read_array(source);
    if (!values || std::string_view("fiub").find(values.dtype().kind()) == std::string_view::npos) return false;
    value.values = ichdet::python::borrow<float, N>(array_t<float, array::c_style | array::forcecast>(values));
    return true;
  }
};

template <ichdet::python::ByteValues what, std::size_t N>
struct type_caster<ichdet::python::BytesArgument<what, N>> {
  using Argument = ichdet::python::BytesArgument<what, N>;
  PYBIND11_TYPE_CASTER(Argument, const_name("numpy.typing.ArrayLike"));

  bool load(handle source, bool) {
    const auto values = ichdet::python::read_array(source);
    if (!values) return false;
    value.values = ichdet::python::borrow<std::uint8_t, N>(ichdet::python::to_bytes(values, what));
    return true;
  }
};

}  // namespace pybind11::detail
