#pragma once

#include "ichdet/io/png.hpp"
#include "value.hpp"

// Pictures as arrays.
namespace ichdet::python {

/// (rows, columns, channels)
inline py::array_t<std::uint8_t> to_numpy(Image image) {
  auto* holder = new Image(std::move(image));
  const py::capsule owner(holder, [](void* held) { delete static_cast<Image*>(held); });
  return py::array_t<std::uint8_t>({holder->rows, holder->columns, holder->channels}, holder->pixels.data(), owner);
}

/// An argument: (rows, columns) or (rows, columns, 1 or 3) uint8.
struct PictureArgument {
  Image image;
};

}  // namespace ichdet::python

namespace pybind11::detail {

template <>
struct type_caster<ichdet::python::PictureArgument> {
  PYBIND11_TYPE_CASTER(ichdet::python::PictureArgument, const_name("numpy.typing.ArrayLike"));

  bool load(handle source, bool) {
    const auto values = ichdet::python::read_array(source);
    if (!values) return false;
    if (values.ndim() != 2 && values.ndim() != 3) {
      throw ichdet::Error::mismatch(ichdet::ErrorCode::shape, "picture", "2 or 3 axes",
                                    ichdet::python::shape_text(values));
    }
    const array_t<std::uint8_t, array::c_style> pixels(
        ichdet::python::to_bytes(values, ichdet::python::ByteValues::labels));
    value.image = ichdet::Image(pixels.shape(0), pixels.shape(1), pixels.ndim() == 3 ? pixels.shape(2) : 1);
    std::copy_n(pixels.data(), pixels.size(), value.image.pixels.begin());
    return true;
  }
};

}  // namespace pybind11::detail
