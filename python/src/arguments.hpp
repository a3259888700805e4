#pragma once

#include <string>
#include <string_view>

#include "convert.hpp"

// What functions take: arrays of any kind without a copy where they lie as ichdet keeps them.
namespace ichdet::python {

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
    return py::array_t<std::uint8_t>(py::array(py::array(values.attr("__ne__")(py::int_(0))).attr("view")("uint8")));
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

/// numpy.typing.DTypeLike
struct DTypeArgument {
  py::dtype value;
};

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

template <>
struct type_caster<ichdet::python::DTypeArgument> {
  PYBIND11_TYPE_CASTER(ichdet::python::DTypeArgument, const_name("numpy.typing.DTypeLike"));

  bool load(handle source, bool) {
    if (!source || source.is_none()) return false;
    try {
      value.value = dtype::from_args(reinterpret_borrow<object>(source));
    } catch (error_already_set&) {
      return false;
    }
    return true;
  }
};

}  // namespace pybind11::detail
