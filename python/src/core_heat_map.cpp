#include "ichdet/report/colormap.hpp"
#include "ichdet/report/draw.hpp"
#include "ichdet/report/heat_map.hpp"
#include "ichdet/report/view.hpp"
#include "image.hpp"

namespace ichdet::python {

namespace {

void bind_maps(py::module_& m) {
  const HeatMapOptions usual;
  m.def(
      "heat_map",
      [](const PictureArgument& picture, const Floats32<2>& map, const std::string& caption, double low, double high,
         double opacity, double fade_in) {
        return to_numpy(unlocked([&] {
          return heat_map(picture.image, map.values, caption, {low, high, opacity, fade_in});
        }));
      },
      py::arg("picture"), py::arg("map"), py::kw_only(), py::arg("caption") = "", py::arg("low") = usual.low,
      py::arg("high") = usual.high, py::arg("opacity") = usual.opacity, py::arg("fade_in") = usual.fade_in,
      R"(A picture under a map's colours, with the colour scale beside it and a caption below.

Parameters
----------
picture : (rows, columns) or (rows, columns, 1 or 3) uint8
map : (height, width) float32
    Stretched over the picture, whatever its resolution.
caption : str
low, high : float
    The values at the ends of the colour scale.
opacity : float
    Of the colours, in [0, 1].
fade_in : float
    The lower part of the scale, in [0, 1], over which the colours fade in: what is cold stays grey.

Returns
-------
(rows, columns, 3) uint8
    Larger than the picture by scale and caption.

Raises
------
ShapeError
    An empty map, or one with NaN or infinity in it.
OptionsError
    Unless low < high, and opacity and fade_in lie in [0, 1].

Examples
--------
>>> map = np.linspace(0, 1, 16, dtype="float32").reshape(4, 4)
>>> ichdet.heat_map(np.full((200, 200), 128, "uint8"), map, caption="Grad-CAM").shape[2]
3
)");
  m.def(
      "heat_color",
      [](double value) {
        const auto color = heat_color(value);
        return std::tuple<int, int, int>(color.red, color.green, color.blue);
      },
      py::arg("value"), R"(The colour of a value in [0, 1]; values beyond get the ends' colours.

Parameters
----------
value : float

Returns
-------
(int, int, int)
    Red, green and blue, 0 to 255.

Notes
-----
matplotlib's "plasma": from deep blue over red to yellow, brightening all the way.

Examples
--------
>>> ichdet.heat_color(0), ichdet.heat_color(1)
((13, 8, 135), (240, 249, 33))
)");
}

void bind_colors(py::module_& m) {
  m.def(
      "label_color",
      [](int label) {
        const auto color = draw::label_color(label);
        return std::tuple<int, int, int>(color.red, color.green, color.blue);
      },
      py::arg("label"),
      R"(The colour of a label in pictures: Okabe and Ito's, which people with any colour vision tell apart.

Parameters
----------
label : int

Returns
-------
(int, int, int)
    Red, green and blue, 0 to 255.

Examples
--------
>>> len({ichdet.label_color(label) for label in range(1, 8)})
7
)");
  m.def(
      "resize",
      [](const Floats32<2>& values, std::int64_t rows, std::int64_t columns, const std::string& kernel, double width) {
        if (kernel != "cubic" && kernel != "spline" && kernel != "linear") {
          throw Error::mismatch(ErrorCode::options, "kernel", "cubic, spline or linear", kernel);
        }
        const auto which = kernel == "cubic" ? Kernel::cubic : kernel == "spline" ? Kernel::spline : Kernel::linear;
        return lend(unlocked([&] { return resize(values.values, rows, columns, which, width); }));
      },
      py::arg("values"), py::arg("rows"), py::arg("columns"), py::arg("kernel") = "cubic", py::arg("width") = 1.0,
      R"(A picture or map in another size, by separable convolution.

Where it shrinks the kernel widens, so that nothing aliases. Edges repeat.

Parameters
----------
values : (rows, columns) float32
rows, columns : int
    Of the result.
kernel : str
    "cubic", Keys' with a = -0.5: sharp, for pictures; "spline", the cubic B-spline: smooth and never negative, for
    masks; "linear": never beyond its neighbours, and keeps their values: for heat maps.
width : float
    How many input pixels a unit of the kernel spans at least; above 1 it smooths.

Returns
-------
(rows, columns) float32

Raises
------
OptionsError
    Another word for `kernel`.

Examples
--------
>>> ichdet.resize(np.array([[0, 1]], "float32"), rows=1, columns=4, kernel="linear")
array([[0.  , 0.25, 0.75, 1.  ]], dtype=float32)
)");
}

void bind_view(py::module_& m) {
  using V = SliceView;
  const auto edge = [](char V::*side) { return [side](const V& view) { return std::string(1, view.*side); }; };
  py::class_<V>(m, "SliceView",
                R"(How the slices of a stack are shown, upright as radiologists read them. From `upright_view`.

Turned by quarter turns and mirrored, never resampled. Axial: nose up, the patient's right at the left.

Examples
--------
>>> planes = [ichdet.SlicePlane(position_mm=(9, 0, z), along_row=(-1, 0, 0), thickness_mm=5) for z in (5, 0)]
>>> hu = np.tile(np.arange(10, dtype="float32"), (2, 10, 1))
>>> view = ichdet.upright_view(ichdet.SliceStack(ichdet.SliceGeometry(planes, rows=10, columns=10), hu))
>>> view.left, view.right, view.top, view.bottom, view.columns_flipped
('R', 'L', 'A', 'P', True)
>>> view.shown(hu, 0)[0]
array([9., 8., 7., 6., 5., 4., 3., 2., 1., 0.], dtype=float32)
)")
      .def_readonly("transposed", &V::transposed, "The picture's rows are the stack's columns.")
      .def_readonly("rows_flipped", &V::rows_flipped, "Upside down.")
      .def_readonly("columns_flipped", &V::columns_flipped, "Mirrored.")
      .def_property_readonly("left", edge(&V::left), "Where the left edge points: R L A P S I.")
      .def_property_readonly("right", edge(&V::right), "Where the right edge points.")
      .def_property_readonly("top", edge(&V::top), "Where the top edge points.")
      .def_property_readonly("bottom", edge(&V::bottom), "Where the bottom edge points.")
      .def_readonly("column_mm", &V::column_mm, "Width of the picture's pixels.")
      .def_readonly("row_mm", &V::row_mm, "Height of the picture's pixels.")
      .def_readonly("first_row", &V::first_row, "Of the part that is shown, in the picture's rows.")
      .def_readonly("first_column", &V::first_column, "Of the part that is shown, in the picture's columns.")
      .def_readonly("rows", &V::rows, "Of the part that is shown.")
      .def_readonly("columns", &V::columns, "Of the part that is shown.")
      .def_readonly("first_slice", &V::first_slice, "Those before show no head.")
      .def_readonly("slices", &V::slices, "How many show the head.")
      .def(
          "shown",
          [](const V& view, const Floats32<3>& values, std::int64_t slice) {
            if (slice < 0 || slice >= values.values.extent(0)) {
              throw Error::mismatch(ErrorCode::options, "slice", "0 to " + std::to_string(values.values.extent(0) - 1),
                                    std::to_string(slice));
            }
            const auto all_rows = values.values.extent(view.transposed ? 2 : 1);
            const auto all_columns = values.values.extent(view.transposed ? 1 : 2);
            if (view.first_row + view.rows > all_rows || view.first_column + view.columns > all_columns) {
              throw Error::mismatch(ErrorCode::shape, "values", "an array of the view's stack",
                                    std::to_string(all_rows) + " x " + std::to_string(all_columns));
            }
            return lend(shown(view, values.values, slice));
          },
          py::arg("values"), py::arg("slice"),
          "(rows, columns) float32: one slice of a (slice, row, column) array as the view shows it, not scaled.");
  const ViewOptions usual;
  m.def(
      "upright_view",
      [](const SliceStack& stack, bool crop_to_head, double margin_mm, const std::optional<Mask<3>>& keep) {
        return unlocked([&] {
          return upright_view(stack, {crop_to_head, margin_mm}, keep ? keep->values : Array3<std::uint8_t>());
        });
      },
      py::arg("stack"), py::kw_only(), py::arg("crop_to_head") = usual.crop_to_head,
      py::arg("margin_mm") = usual.margin_mm, py::arg("keep") = py::none(), R"(How to show a stack's slices.

Parameters
----------
stack : SliceStack
crop_to_head : bool
    One part for all slices: the box around the head, table and head rest cut off. Where none is seen, the whole slice.
margin_mm : float
    Of air around the head.
keep : (slice, row, column) uint8 or bool, optional
    Pixels that the part has to hold.

Returns
-------
SliceView

Examples
--------
>>> grid = ichdet.Geometry.aligned(size=(64, 64, 4), spacing_mm=(3.5, 3.5, 5))
>>> hu = np.full(grid.shape, -1000, "float32")
>>> hu[:, 20:50, 16:40] = 40
>>> stack = ichdet.SliceStack(ichdet.SliceGeometry(grid), hu)
>>> view = ichdet.upright_view(stack, margin_mm=7)
>>> (view.first_row, view.rows), (view.first_column, view.columns)
((18, 34), (14, 28))
)");
}

}  // namespace

void bind_heat_map(py::module_& m) {
  bind_maps(m);
  bind_colors(m);
  bind_view(m);
}

}  // namespace ichdet::python
