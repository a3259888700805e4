#include <pybind11/stl/filesystem.h>

#include <tuple>
#include <variant>

#include "ichdet/report/classification.hpp"
#include "ichdet/report/explanation.hpp"
#include "ichdet/report/overlay.hpp"
#include "ichdet/report/summary.hpp"
#include "image.hpp"

// Pictures of a study and what was found in it.
namespace ichdet::python {

namespace {

OverlayOptions overlay_options(double center_hu, double width_hu, bool outlines, double fill_opacity,
                               const std::string& caption) {
  OverlayOptions options;
  options.window_center_hu = center_hu;
  options.window_width_hu = width_hu;
  options.outlines = outlines;
  options.fill_opacity = fill_opacity;
  options.caption = caption;
  return options;
}

void bind_overlays(py::module_& m) {
  const OverlayOptions usual;
  m.def(
      "render_slice",
      [](const SliceStack& stack, const SliceLabels& labels, const StudyResult& result, std::int64_t slice,
         double center, double width, bool outlines, double fill_opacity, const std::string& caption,
         std::int64_t slice_px) {
        auto options = overlay_options(center, width, outlines, fill_opacity, caption);
        options.slice_px = slice_px;
        return to_numpy(unlocked([&] { return render_slice(stack, labels, result, slice, options); }));
      },
      py::arg("stack"), py::arg("labels"), py::arg("result"), py::arg("slice"), py::kw_only(),
      py::arg("window_center_hu") = usual.window_center_hu, py::arg("window_width_hu") = usual.window_width_hu,
      py::arg("outlines") = usual.outlines, py::arg("fill_opacity") = usual.fill_opacity,
      py::arg("caption") = usual.caption, py::arg("slice_px") = usual.slice_px,
      R"(One slice with its findings, upright and in radiological convention, beside a panel that says what was found.

Pixels are square on the picture whatever they are in the file. With it: edges marked R L A P S I, scale bar, slice
index, z and probability, outlines coloured by label, volumes, each slice's probability along z, and "not for clinical
use".

Parameters
----------
stack : SliceStack
labels : SliceLabels
result : StudyResult
    Names and measures the labels.
slice : int
    From 0.
window_center_hu, window_width_hu : float
outlines : bool
    A crisp line around each label, just outside it.
fill_opacity : float
    Tint inside the lines, in [0, 1].
caption : str
    One line of the caller's own; never filled from DICOM.
slice_px : int
    Height and width of the slice.

Returns
-------
(rows, columns, 3) uint8

Raises
------
ShapeError
    Labels and stack differ in shape.
OptionsError
    No such slice, or an option makes no sense.

Examples
--------
>>> grid = ichdet.Geometry.aligned(size=(48, 48, 6), spacing_mm=(4.8, 4.8, 25))
>>> stack = ichdet.SliceStack(ichdet.SliceGeometry(grid), np.full(grid.shape, 30, "float32"))
>>> labels = ichdet.SliceLabels(np.zeros(grid.shape, "uint8"), ["background", "blood"], stack.geometry)
>>> labels.labels[3, 20:28, 20:28] = 1
>>> result = ichdet.StudyResult(labels={1: "blood"}, volumes_ml=ichdet.volumes_ml(labels))
>>> picture = ichdet.render_slice(stack, labels, result, 3, slice_px=480)
>>> picture.dtype, picture.shape[0]
(dtype('uint8'), 480)
)");
  m.def(
      "render_sheet",
      [](const SliceStack& stack, const SliceLabels& labels, const StudyResult& result, double center, double width,
         bool outlines, double fill_opacity, const std::string& caption, std::int64_t tile_px, std::int64_t max_tiles) {
        auto options = overlay_options(center, width, outlines, fill_opacity, caption);
        options.tile_px = tile_px;
        options.max_tiles = max_tiles;
        return to_numpy(unlocked([&] { return render_sheet(stack, labels, result, options); }));
      },
      py::arg("stack"), py::arg("labels"), py::arg("result"), py::kw_only(),
      py::arg("window_center_hu") = usual.window_center_hu, py::arg("window_width_hu") = usual.window_width_hu,
      py::arg("outlines") = usual.outlines, py::arg("fill_opacity") = usual.fill_opacity,
      py::arg("caption") = usual.caption, py::arg("tile_px") = usual.tile_px, py::arg("max_tiles") = usual.max_tiles,
      R"(The contact sheet: slices from the feet up, with the finding as its title and the panel of `render_slice`.

Parameters
----------
stack : SliceStack
labels : SliceLabels
result : StudyResult
window_center_hu, window_width_hu, outlines, fill_opacity, caption
    As of `render_slice`.
tile_px : int
    Width of a slice; more where there are fewer than 4 columns.
max_tiles : int
    How many slices are shown at most; see `sheet_slices`.

Returns
-------
(rows, columns, 3) uint8

Raises
------
ShapeError
    Labels and stack differ in shape.
OptionsError
    An option makes no sense.

Examples
--------
>>> grid = ichdet.Geometry.aligned(size=(48, 48, 6), spacing_mm=(4.8, 4.8, 25))
>>> stack = ichdet.SliceStack(ichdet.SliceGeometry(grid), np.full(grid.shape, 30, "float32"))
>>> labels = ichdet.SliceLabels(np.zeros(grid.shape, "uint8"), ["background", "blood"], stack.geometry)
>>> labels.labels[3, 20:28, 20:28] = 1
>>> result = ichdet.StudyResult(labels={1: "blood"}, volumes_ml=ichdet.volumes_ml(labels))
>>> sheet = ichdet.render_sheet(stack, labels, result, max_tiles=4, tile_px=120)
>>> sheet.ndim, sheet.shape[2]
(3, 3)
)");
  m.def(
      "sheet_slices",
      [](const SliceStack& stack, const SliceLabels& labels, const StudyResult& result, std::int64_t max_tiles) {
        return unlocked([&] { return sheet_slices(picture_setup(stack, labels), result, max_tiles); });
      },
      py::arg("stack"), py::arg("labels"), py::arg("result"), py::arg("max_tiles") = usual.max_tiles,
      R"(Which slices a sheet shows.

Those without head or label are left out. Where there are still too many: up to three quarters evenly sampled from those
with a label or a probability of at least the decision's threshold, the others evenly sampled from the rest.

Parameters
----------
stack : SliceStack
labels : SliceLabels
result : StudyResult
max_tiles : int

Returns
-------
list of int
    Ascending.

Examples
--------
>>> grid = ichdet.Geometry.aligned(size=(48, 48, 6), spacing_mm=(4.8, 4.8, 25))
>>> stack = ichdet.SliceStack(ichdet.SliceGeometry(grid), np.full(grid.shape, 30, "float32"))
>>> labels = ichdet.SliceLabels(np.zeros(grid.shape, "uint8"), ["background", "blood"], stack.geometry)
>>> labels.labels[3, 20:28, 20:28] = 1
>>> result = ichdet.StudyResult(labels={1: "blood"}, volumes_ml=ichdet.volumes_ml(labels))
>>> ichdet.sheet_slices(stack, labels, result, max_tiles=3)
[1, 3, 4]
)");
}

void bind_classifications(py::module_& m) {
  const ClassificationOptions usual;
  const auto& heat = usual.heat_map;
  m.def(
      "render_classification",
      [](const SliceStack& stack, const StudyResult& result,
         const std::vector<std::variant<std::pair<std::int64_t, Floats32<2>>,
                                        std::tuple<std::int64_t, Floats32<2>, std::string>>>& given,
         const Window& window, double low, double high, double opacity, double fade_in, const std::string& map_name,
         std::int64_t tile_px) {
        std::vector<SliceMap> maps;
        for (const auto& map : given) {
          std::visit(
              [&](const auto& parts) {
                SliceMap one{std::get<0>(parts), std::get<1>(parts).values, {}};
                if constexpr (std::tuple_size_v<std::decay_t<decltype(parts)>> == 3) one.note = std::get<2>(parts);
                maps.push_back(std::move(one));
              },
              map);
        }
        const ClassificationOptions options{window, {low, high, opacity, fade_in}, map_name, tile_px};
        return to_numpy(unlocked([&] { return render_classification(stack, result, maps, options); }));
      },
      py::arg("stack"), py::arg("result"), py::arg("maps"), py::kw_only(),
      py::arg_v("window", usual.window, "Window(0, 80)"), py::arg("low") = heat.low, py::arg("high") = heat.high,
      py::arg("opacity") = heat.opacity, py::arg("fade_in") = heat.fade_in, py::arg("map_name") = usual.map_name,
      py::arg("tile_px") = usual.tile_px, R"(A classifier's result as one picture.

Each slice's probability along z with the threshold; below, slices under their maps; beside them the decision, the rule,
reasons for review, the model, and "not for clinical use".

Parameters
----------
stack : SliceStack
result : StudyResult
maps : list of (int, (row, column) float32) or (int, (row, column) float32, str)
    Slice, where a network looked on it, in [0, 1], and a few words for its corner in place of its probability.
window : Window
low, high, opacity, fade_in : float
    As of `heat_map`.
map_name : str
    What the colours are.
tile_px : int
    Width of a slice.

Returns
-------
(rows, columns, 3) uint8

Raises
------
ShapeError
    A map is not of the slices' size.
OptionsError
    No such slice.

Examples
--------
>>> grid = ichdet.Geometry.aligned(size=(48, 48, 6), spacing_mm=(4.8, 4.8, 25))
>>> stack = ichdet.SliceStack(ichdet.SliceGeometry(grid), np.full(grid.shape, 30, "float32"))
>>> scores = [ichdet.SliceScore(index=i, probability=0.1 * i) for i in range(6)]
>>> result = ichdet.StudyResult(slices=scores, classes=["blood"])
>>> map = np.linspace(0, 1, 48 * 48, dtype="float32").reshape(48, 48)
>>> ichdet.render_classification(stack, result, [(5, map), (4, map, "faint")]).shape[2]
3
)");
  m.def("slices_to_show", &slices_to_show, py::arg("result"), py::arg("most"),
        R"(Which slices of a classifier's result to show.

Parameters
----------
result : StudyResult
most : int

Returns
-------
list of int
    In the stack's order: the positive ones, the likeliest first chosen; where none is, the three likeliest.

Examples
--------
>>> scores = [ichdet.SliceScore(index=i, probability=p) for i, p in enumerate((0.1, 0.9, 0.6, 0.8))]
>>> ichdet.slices_to_show(ichdet.StudyResult(slices=scores, classes=["blood"]), most=2)
[1, 3]
)");
}

void bind_explanations(py::module_& m) {
  using E = ExplainedSlice;
  py::class_<E>(m, "ExplainedSlice", R"(What spoke for a finding on one slice: what `render_explanation` draws.

Parameters
----------
slice : int
probability : float
map : (row, column) float32
    Any scale: the higher, the more it spoke for it.
regions : list of (row, column) uint8 or bool
    The map's top, 1 inside, one for each of the explanation's `areas`.
note : str
    A few words below the slice.

Examples
--------
>>> ichdet.ExplainedSlice(3, 0.9, np.zeros((48, 48), "float32"), [np.zeros((48, 48), bool)] * 3).map.shape
(48, 48)
)")
      .def(py::init([](std::int64_t slice, double probability, const Floats32<2>& map,
                       const std::vector<Mask<2>>& regions, std::string note) {
             E explained{slice, probability, map.values, {}, std::move(note)};
             for (const auto& region : regions) explained.regions.push_back(region.values);
             return explained;
           }),
           py::arg("slice"), py::arg("probability"), py::arg("map"), py::arg("regions"), py::arg("note") = "",
           "See the class.")
      .def_readonly("slice", &E::slice, "From 0.")
      .def_readonly("probability", &E::probability, "Of the finding, on this slice.")
      .def_property_readonly(
          "map", [](const E& e) { return lend(e.map); }, "(row, column) float32.")
      .def_property_readonly(
          "regions",
          [](const E& e) {
            std::vector<py::array_t<std::uint8_t>> regions;
            for (const auto& region : e.regions) regions.push_back(lend(region));
            return regions;
          },
          "(row, column) uint8 of each area.")
      .def_readonly("note", &E::note, "A few words below the slice.");
  const ExplanationOptions usual;
  m.def(
      "render_explanation",
      [](const SliceStack& stack, const std::vector<E>& slices, std::string method, std::string target,
         std::vector<std::string> details, std::vector<double> areas, std::vector<BundleIdentity> bundles,
         const Window& window, double top_percentile, std::int64_t tile_px,
         const std::optional<SliceLabels>& reference) {
        const ExplanationOptions options{std::move(method),  std::move(target),
                                         std::move(details), std::move(areas),
                                         std::move(bundles), window,
                                         top_percentile,     tile_px};
        return to_numpy(unlocked([&] { return render_explanation(stack, slices, options, reference); }));
      },
      py::arg("stack"), py::arg("slices"), py::kw_only(), py::arg("method") = usual.method,
      py::arg("target") = usual.target, py::arg("details") = usual.details, py::arg("areas") = usual.areas,
      py::arg("bundles") = usual.bundles, py::arg_v("window", usual.window, "Window(0, 80)"),
      py::arg("top_percentile") = usual.top_percentile, py::arg("tile_px") = usual.tile_px,
      py::arg("reference") = py::none(),
      R"(Slices in rows: the scan, its map as colours, and what is left of it where all but the map's top is darkened.

Parameters
----------
stack : SliceStack
slices : list of ExplainedSlice
method, target : str
    What made the maps, and what spoke for what.
details : list of str
    Lines for the panel: how the map was made.
areas : list of float
    Share of the network's image that each of a slice's regions covers.
bundles : list of BundleIdentity
window : Window
top_percentile : float
    Of each map: 0 is the scale's lower end, this percentile of its values the upper one.
tile_px : int
    Width of a slice.
reference : SliceLabels, optional
    Whose outlines are drawn too, to compare with.

Returns
-------
(rows, columns, 3) uint8

Raises
------
ShapeError
    Arrays of another size than the slices, or another number of regions than areas.
OptionsError
    No slice or none such.

Examples
--------
>>> grid = ichdet.Geometry.aligned(size=(48, 48, 6), spacing_mm=(4.8, 4.8, 25))
>>> stack = ichdet.SliceStack(ichdet.SliceGeometry(grid), np.full(grid.shape, 30, "float32"))
>>> map = np.linspace(0, 1, 48 * 48, dtype="float32").reshape(48, 48)
>>> explained = ichdet.ExplainedSlice(3, 0.9, map, [map > 0.95])
>>> ichdet.render_explanation(stack, [explained], areas=[0.05]).shape[2]
3
)");
}

void bind_png(py::module_& m) {
  m.def(
      "write_png",
      [](const std::filesystem::path& path, const PictureArgument& pixels) { io::write_png(path, pixels.image); },
      py::arg("path"), py::arg("pixels"), py::call_guard<py::gil_scoped_release>(), R"(Write a PNG file.

The same picture gives the same bytes: there is no time stamp in it.

Parameters
----------
path : path
pixels : (rows, columns) or (rows, columns, 1 or 3) uint8

Raises
------
ShapeError
    Another shape or type.
IoError
    It cannot be written.

Examples
--------
>>> with tempfile.TemporaryDirectory() as folder:
...     ichdet.write_png(pathlib.Path(folder) / "grey.png", np.full((2, 3), 128, "uint8"))
...     ichdet.read_png(pathlib.Path(folder) / "grey.png").shape
(2, 3, 1)
)");
  m.def(
      "read_png",
      [](const std::filesystem::path& path) { return to_numpy(unlocked([&] { return io::read_png(path); })); },
      py::arg("path"), R"(Read a PNG file; all but grey pictures become RGB over black.

Parameters
----------
path : path

Returns
-------
(rows, columns, 1 or 3) uint8

Raises
------
IoError
    It cannot be read, or is malformed.
LimitError
    Above 2^28 pixels.

Examples
--------
>>> with tempfile.TemporaryDirectory() as folder:
...     ichdet.write_png(pathlib.Path(folder) / "red.png", np.full((2, 3, 3), (255, 0, 0), "uint8"))
...     ichdet.read_png(pathlib.Path(folder) / "red.png")[0, 0]
array([255,   0,   0], dtype=uint8)
)");
  m.def(
      "encode_png",
      [](const PictureArgument& pixels) {
        const auto bytes = unlocked([&] { return io::encode_png(pixels.image); });
        return py::bytes(reinterpret_cast<const char*>(bytes.data()), bytes.size());
      },
      py::arg("pixels"), R"(The bytes of a PNG file. The same picture gives the same bytes.

Parameters
----------
pixels : (rows, columns) or (rows, columns, 1 or 3) uint8

Returns
-------
bytes

Raises
------
ShapeError
    Another shape or type.

Examples
--------
>>> ichdet.encode_png(np.zeros((2, 3), "uint8"))[1:4]
b'PNG'
)");
  m.def(
      "decode_png",
      [](const py::bytes& data, const std::string& name) {
        const std::string_view bytes = data;
        return to_numpy(unlocked([&] {
          return io::decode_png({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}, name);
        }));
      },
      py::arg("data"), py::arg("name") = "PNG",
      R"(A picture from the bytes of a PNG file; all but grey become RGB over black.

Parameters
----------
data : bytes
name : str
    What errors call it.

Returns
-------
(rows, columns, 1 or 3) uint8

Raises
------
IoError
    Malformed.
LimitError
    Above 2^28 pixels.

Examples
--------
>>> ichdet.decode_png(ichdet.encode_png(np.full((1, 2), 7, "uint8")))[..., 0]
array([[7, 7]], dtype=uint8)
)");
  m.def(
      "place", [](const Eigen::Vector3d& lps_mm) { return place(lps_mm); }, py::arg("lps_mm"),
      R"(LPS millimetres in words that need no sign.

Parameters
----------
lps_mm : (3,) float64

Returns
-------
str

Examples
--------
>>> ichdet.place((23, 10, 45))
'L 23 P 10 S 45 mm'
)");
}

}  // namespace

void bind_report(py::module_& m) {
  bind_overlays(m);
  bind_classifications(m);
  bind_explanations(m);
  bind_png(m);
}

}  // namespace ichdet::python
