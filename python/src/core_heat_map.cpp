#include "convert.hpp"
#include "ichdet/report/heat_map.hpp"

namespace ichdet::python {

using Pixels = py::array_t<std::uint8_t, py::array::c_style | py::array::forcecast>;
using FloatArray = py::array_t<float, py::array::c_style | py::array::forcecast>;

void bind_heat_map(py::module_& m) {
  m.def(
      "heat_map",
      [](const Pixels& picture, const FloatArray& map, const std::string& caption, double low, double high,
         double opacity, double fade_in) {
        const auto channels = picture.ndim() == 3 ? picture.shape(2) : 1;
        if (picture.ndim() < 2 || picture.ndim() > 3) throw Error::mismatch(ErrorCode::shape, "picture", "2 or 3 axes", shape_text(picture));
        Image under(picture.shape(0), picture.shape(1), channels);
        std::copy_n(picture.data(), picture.size(), under.pixels.begin());
        const auto image = heat_map(under, borrow<float, 2>(map), caption, {low, high, opacity, fade_in});
        Pixels pixels({image.rows, image.columns, image.channels});
        std::copy(image.pixels.begin(), image.pixels.end(), pixels.mutable_data());
        return pixels;
      },
      py::arg("picture"), py::arg("map"), py::kw_only(), py::arg("caption") = "", py::arg("low") = 0.0,
      py::arg("high") = 1.0, py::arg("opacity") = 0.6, py::arg("fade_in") = 0.4,
      R"(A picture under a map's colours, with the colour scale beside it and a caption below.

Parameters
----------
picture : (rows, columns) or (rows, columns, 1 or 3) uint8
map : (height, width) float32, stretched over the picture
low, high : the values at the ends of the colour scale
opacity : of the colours, in [0, 1]
fade_in : the lower part of the scale, in [0, 1], over which the colours fade in

Returns
-------
(rows, columns, 3) uint8: the picture, larger by scale and caption)");
}

}  // namespace ichdet::python
