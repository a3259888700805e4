#include "ichdet/core/slice_stack.hpp"
#include "ichdet/core/volume.hpp"
#include "value.hpp"

// Values on a grid or on slices: arrays that know where they lie.
namespace ichdet::python {

namespace {

using Names = std::vector<std::string>;

template <class T, std::size_t N>
bool equal(const Array<T, N>& a, const Array<T, N>& b) {
  return a.shape() == b.shape() && a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin());
}

template <class T, std::size_t N>
std::string text_of(const char* name, const char* axes, const Array<T, N>& values, const std::string& more) {
  std::string text = "<ichdet." + std::string(name) + " " + axes + " = (";
  for (std::size_t axis = 0; axis < N; ++axis) text += (axis ? ", " : "") + std::to_string(values.extent(axis));
  return text + ") " + (sizeof(T) == 1 ? "uint8" : "float32") + more + ">";
}

std::string spacing_text(const Geometry& geometry) {
  const auto spacing = geometry.spacing_mm();
  std::string text = ", voxels of ";
  for (int axis = 0; axis < 3; ++axis) {
    text += (axis ? " x " : "") + std::string(py::str(py::float_(std::round(spacing[axis] * 1e3) / 1e3)));
  }
  return text + " mm (x, y, z)";
}

std::string listed(const Names& names) {
  std::string text = ": ";
  for (std::size_t i = 0; i < names.size(); ++i) text += (i ? ", " : "") + names[i];
  return text;
}

void bind_volume(py::module_& m) {
  py::class_<Volume> volume(m, "Volume", py::buffer_protocol(), R"(Hounsfield units (z, y, x) on a regular grid.

Reads as an array: np.asarray(volume), memoryview(volume), np.from_dlpack(volume), torch.from_dlpack(volume) share its
memory.

Parameters
----------
hu : (z, y, x) float32
    A NumPy array, torch tensor or what NumPy can read. Shared where it is C-contiguous float32, else copied.
geometry : Geometry
    Of `geometry.shape` equal to hu's.

Raises
------
ShapeError
    The array is not of the geometry's shape.

Examples
--------
>>> hu = np.full((4, 8, 8), 30, "float32")
>>> volume = ichdet.Volume(hu, ichdet.Geometry.aligned(size=(8, 8, 4), spacing_mm=(0.5, 0.5, 5)))
>>> volume
<ichdet.Volume (z, y, x) = (4, 8, 8) float32 HU, voxels of 0.5 x 0.5 x 5.0 mm (x, y, z)>
>>> hu[0, 0, 0] = 65
>>> float(np.asarray(volume).max())
65.0
)");
  volume
      .def(py::init([](const Floats32<3>& hu, const Geometry& geometry) { return Volume(hu.values, geometry); }),
           py::arg("hu"), py::arg("geometry"), "See the class.")
      .def_property_readonly(
          "hu", [](const Volume& v) { return lend(v.hu); }, "(z, y, x) float32, shared.")
      .def_readonly("geometry", &Volume::geometry, "Where the voxels lie.")
      .def_property_readonly(
          "shape", [](const Volume& v) { return tuple_of(v.hu.shape()); }, "(z, y, x).")
      .def(
          "copy", [](const Volume& v) { return Volume(v.hu.clone(), v.geometry); },
          py::call_guard<py::gil_scoped_release>(), "The same with voxels of its own.")
      .def(
          "__eq__",
          [](const Volume& a, const Volume& b) { return equal(a.hu, b.hu) && a.geometry.same_as(b.geometry, {0}); },
          py::arg("other"), py::is_operator(), py::call_guard<py::gil_scoped_release>(),
          "Equal voxels on the same grid.")
      .def("__repr__",
           [](const Volume& v) { return text_of("Volume", "(z, y, x)", v.hu, " HU" + spacing_text(v.geometry)); });
  as_array(volume, &Volume::hu);
  pickled_as<Floats32<3>, Geometry>(
      volume, [](const Volume& v) { return std::make_tuple(lend(v.hu), v.geometry); },
      [](const Floats32<3>& hu, const Geometry& geometry) { return Volume(hu.values, geometry); });
}

void bind_label_map(py::module_& m) {
  py::class_<LabelMap> map(m, "LabelMap", py::buffer_protocol(),
                           R"(One small integer for each voxel (z, y, x) of a regular grid.

Reads as an array, as Volume does.

Parameters
----------
labels : (z, y, x) uint8
    Shared where it is C-contiguous uint8 or bool; other whole numbers from 0 to 255 are copied.
names : list of str
    names[label] says what it means, names[0] being background.
geometry : Geometry

Raises
------
ShapeError
    Not of the geometry's shape, not whole numbers, or not in 0..255.

Examples
--------
>>> grid = ichdet.Geometry.aligned(size=(8, 8, 4), spacing_mm=(0.5, 0.5, 5))
>>> labels = ichdet.LabelMap(np.zeros((4, 8, 8), "uint8"), ["background", "blood"], grid)
>>> labels.labels[1:3, 2:6, 2:6] = 1
>>> labels
<ichdet.LabelMap (z, y, x) = (4, 8, 8) uint8: background, blood, voxels of 0.5 x 0.5 x 5.0 mm (x, y, z)>
>>> round(float(np.count_nonzero(labels) * grid.voxel_ml), 3)
0.04
)");
  map.def(py::init([](const Labels<3>& labels, Names names, const Geometry& geometry) {
            return LabelMap(labels.values, std::move(names), geometry);
          }),
          py::arg("labels"), py::arg("names"), py::arg("geometry"), "See the class.")
      .def_property_readonly(
          "labels", [](const LabelMap& v) { return lend(v.labels); }, "(z, y, x) uint8, shared.")
      .def_readonly("names", &LabelMap::names, "What each label means.")
      .def_readonly("geometry", &LabelMap::geometry, "Where the voxels lie.")
      .def_property_readonly(
          "shape", [](const LabelMap& v) { return tuple_of(v.labels.shape()); }, "(z, y, x).")
      .def(
          "copy", [](const LabelMap& v) { return LabelMap(v.labels.clone(), v.names, v.geometry); },
          py::call_guard<py::gil_scoped_release>(), "The same with voxels of its own.")
      .def(
          "__eq__",
          [](const LabelMap& a, const LabelMap& b) {
            return equal(a.labels, b.labels) && a.names == b.names && a.geometry.same_as(b.geometry, {0});
          },
          py::arg("other"), py::is_operator(), py::call_guard<py::gil_scoped_release>(),
          "Equal voxels and names on the same grid.")
      .def("__repr__", [](const LabelMap& v) {
        return text_of("LabelMap", "(z, y, x)", v.labels, listed(v.names) + spacing_text(v.geometry));
      });
  as_array(map, &LabelMap::labels);
  pickled_as<Labels<3>, Names, Geometry>(
      map, [](const LabelMap& v) { return std::make_tuple(lend(v.labels), v.names, v.geometry); },
      [](const Labels<3>& labels, Names names, const Geometry& geometry) {
        return LabelMap(labels.values, std::move(names), geometry);
      });
}

void bind_probability_map(py::module_& m) {
  py::class_<ProbabilityMap> map(m, "ProbabilityMap", py::buffer_protocol(),
                                 R"(What a segmenter gives: one probability for each class and voxel.

Reads as an array (class, z, y, x), as Volume does.

Parameters
----------
values : (class, z, y, x) float32
    Each voxel's classes sum to 1. Shared where it is C-contiguous float32, else copied.
classes : list of str
    Their names, class 0 being background.
geometry : Geometry

Raises
------
ShapeError
    Not of the geometry's shape, or another number of classes than names.

Examples
--------
>>> values = np.zeros((2, 1, 2, 2), "float32")
>>> values[1] = [[0.1, 0.2], [0.7, 0.5]]
>>> values[0] = 1 - values[1]
>>> grid = ichdet.Geometry.aligned(size=(2, 2, 1), spacing_mm=(1, 1, 5))
>>> probabilities = ichdet.ProbabilityMap(values, ["background", "blood"], grid)
>>> ichdet.argmax(probabilities).labels
array([[[0, 0],
        [1, 0]]], dtype=uint8)
)");
  map.def(py::init([](const Floats32<4>& values, Names classes, const Geometry& geometry) {
            return ProbabilityMap(values.values, std::move(classes), geometry);
          }),
          py::arg("values"), py::arg("classes"), py::arg("geometry"), "See the class.")
      .def_property_readonly(
          "values", [](const ProbabilityMap& v) { return lend(v.values); },
          "(class, z, y, x) float32 in [0, 1], shared.")
      .def_readonly("classes", &ProbabilityMap::classes, "Names, class 0 being background.")
      .def_readonly("geometry", &ProbabilityMap::geometry, "Where the voxels lie.")
      .def_property_readonly(
          "shape", [](const ProbabilityMap& v) { return tuple_of(v.values.shape()); }, "(class, z, y, x).")
      .def(
          "copy", [](const ProbabilityMap& v) { return ProbabilityMap(v.values.clone(), v.classes, v.geometry); },
          py::call_guard<py::gil_scoped_release>(), "The same with voxels of its own.")
      .def(
          "__eq__",
          [](const ProbabilityMap& a, const ProbabilityMap& b) {
            return equal(a.values, b.values) && a.classes == b.classes && a.geometry.same_as(b.geometry, {0});
          },
          py::arg("other"), py::is_operator(), py::call_guard<py::gil_scoped_release>(),
          "Equal voxels and names on the same grid.")
      .def("__repr__", [](const ProbabilityMap& v) {
        return text_of("ProbabilityMap", "(class, z, y, x)", v.values, listed(v.classes) + spacing_text(v.geometry));
      });
  as_array(map, &ProbabilityMap::values);
  pickled_as<Floats32<4>, Names, Geometry>(
      map, [](const ProbabilityMap& v) { return std::make_tuple(lend(v.values), v.classes, v.geometry); },
      [](const Floats32<4>& values, Names classes, const Geometry& geometry) {
        return ProbabilityMap(values.values, std::move(classes), geometry);
      });
  m.def("argmax", &argmax, py::arg("probabilities"), py::call_guard<py::gil_scoped_release>(),
        R"(The class with the highest probability at each voxel; the lower class where two are equal.

Parameters
----------
probabilities : ProbabilityMap

Returns
-------
LabelMap
    With the classes as names.

Examples
--------
>>> grid = ichdet.Geometry.aligned(size=(3, 1, 1), spacing_mm=(1, 1, 5))
>>> values = np.array([0.8, 0.5, 0.1, 0.2, 0.5, 0.9], "float32").reshape(2, 1, 1, 3)
>>> ichdet.argmax(ichdet.ProbabilityMap(values, ["background", "blood"], grid)).labels
array([[[0, 0, 1]]], dtype=uint8)
)");
}

void bind_stack(py::module_& m) {
  py::class_<SliceStack> stack(
      m, "SliceStack", py::buffer_protocol(),
      R"(A series as acquired, in Hounsfield units (slice, row, column): what slice models read.

Reads as an array of its HU, as Volume does.

Parameters
----------
geometry : SliceGeometry
hu : (slice, row, column) float32
    Shared where it is C-contiguous float32, else copied.
padding : (slice, row, column) uint8, optional
    1 where the scanner measured nothing.
identity : SeriesIdentity, optional
assumptions : list of str
    What had to be assumed to read it, one sentence each.

Raises
------
ShapeError
    An array is not of the geometry's shape.

Examples
--------
>>> planes = [ichdet.SlicePlane(position_mm=(0, 0, z), thickness_mm=5) for z in (0, 5, 10)]
>>> stack = ichdet.SliceStack(ichdet.SliceGeometry(planes, rows=4, columns=4), np.zeros((3, 4, 4), "float32"))
>>> stack
<ichdet.SliceStack (slice, row, column) = (3, 4, 4) float32 HU, every 5.0 mm>
>>> stack.padding is None
True
)");
  stack
      .def(py::init([](const SliceGeometry& geometry, const Floats32<3>& hu, const std::optional<Mask<3>>& padding,
                       const std::optional<SeriesIdentity>& identity, Names assumptions) {
             SliceStack stack(geometry, hu.values, padding ? padding->values : Array3<std::uint8_t>());
             if (identity) stack.identity = *identity;
             stack.assumptions = std::move(assumptions);
             return stack;
           }),
           py::arg("geometry"), py::arg("hu"), py::arg("padding") = py::none(), py::kw_only(),
           py::arg("identity") = py::none(), py::arg("assumptions") = Names{}, "See the class.")
      .def_readonly("geometry", &SliceStack::geometry, "The planes.")
      .def_property_readonly(
          "hu", [](const SliceStack& s) { return lend(s.hu); },
          "(slice, row, column) float32, shared; padded pixels keep their stored value.")
      .def_property_readonly(
          "padding",
          [](const SliceStack& s) { return s.padding.empty() ? std::nullopt : std::optional(lend(s.padding)); },
          "(slice, row, column) uint8, 1 where the scanner measured nothing, shared; None where there is no such "
          "pixel.")
      .def_readonly("identity", &SliceStack::identity, "Who was scanned and how.")
      .def_readonly("assumptions", &SliceStack::assumptions, "What had to be assumed to read it, one sentence each.")
      .def_property_readonly(
          "shape", [](const SliceStack& s) { return tuple_of(s.hu.shape()); }, "(slice, row, column).")
      .def(
          "__len__", [](const SliceStack& s) { return s.geometry.count(); }, "How many slices.")
      .def(
          "copy",
          [](const SliceStack& s) {
            SliceStack copy = s;
            copy.hu = s.hu.clone();
            if (!s.padding.empty()) copy.padding = s.padding.clone();
            return copy;
          },
          py::call_guard<py::gil_scoped_release>(), "The same with pixels of its own.")
      .def("__repr__", [](const SliceStack& s) {
        const double gap = std::round(s.geometry.nominal_gap_mm() * 1e3) / 1e3;
        return text_of("SliceStack", "(slice, row, column)", s.hu,
                       " HU, every " + std::string(py::str(py::float_(gap))) + " mm");
      });
  as_array(stack, &SliceStack::hu);
  using Padding = std::optional<Mask<3>>;
  pickled_as<SliceGeometry, Floats32<3>, Padding, SeriesIdentity, Names>(
      stack,
      [](const SliceStack& s) {
        return std::make_tuple(s.geometry, lend(s.hu),
                               s.padding.empty() ? std::nullopt : std::optional(lend(s.padding)), s.identity,
                               s.assumptions);
      },
      [](const SliceGeometry& geometry, const Floats32<3>& hu, const Padding& padding, const SeriesIdentity& identity,
         Names assumptions) {
        SliceStack stack(geometry, hu.values, padding ? padding->values : Array3<std::uint8_t>());
        stack.identity = identity;
        stack.assumptions = std::move(assumptions);
        return stack;
      });
}

void bind_slice_labels(py::module_& m) {
  py::class_<SliceLabels> labels(m, "SliceLabels", py::buffer_protocol(),
                                 R"(One small integer for each pixel (slice, row, column) of a series.

Reads as an array, as Volume does.

Parameters
----------
labels : (slice, row, column) uint8
    Shared where it is C-contiguous uint8 or bool; other whole numbers from 0 to 255 are copied.
names : list of str
    names[label] says what it means, names[0] being background.
geometry : SliceGeometry

Raises
------
ShapeError
    Not of the geometry's shape, not whole numbers, or not in 0..255.

Examples
--------
>>> slices = ichdet.SliceGeometry(ichdet.Geometry.aligned(size=(8, 8, 3), spacing_mm=(0.5, 0.5, 5)))
>>> labels = ichdet.SliceLabels(np.zeros((3, 8, 8), "uint8"), ["background", "IPH"], slices)
>>> labels
<ichdet.SliceLabels (slice, row, column) = (3, 8, 8) uint8: background, IPH>
>>> len(labels)
3
)");
  labels
      .def(py::init([](const Labels<3>& values, Names names, const SliceGeometry& geometry) {
             return SliceLabels(values.values, std::move(names), geometry);
           }),
           py::arg("labels"), py::arg("names"), py::arg("geometry"), "See the class.")
      .def_property_readonly(
          "labels", [](const SliceLabels& v) { return lend(v.labels); }, "(slice, row, column) uint8, shared.")
      .def_readonly("names", &SliceLabels::names, "What each label means.")
      .def_readonly("geometry", &SliceLabels::geometry, "The planes.")
      .def_property_readonly(
          "shape", [](const SliceLabels& v) { return tuple_of(v.labels.shape()); }, "(slice, row, column).")
      .def(
          "__len__", [](const SliceLabels& v) { return v.geometry.count(); }, "How many slices.")
      .def(
          "copy", [](const SliceLabels& v) { return SliceLabels(v.labels.clone(), v.names, v.geometry); },
          py::call_guard<py::gil_scoped_release>(), "The same with pixels of its own.")
      .def("__repr__", [](const SliceLabels& v) {
        return text_of("SliceLabels", "(slice, row, column)", v.labels, listed(v.names));
      });
  as_array(labels, &SliceLabels::labels);
  pickled_as<Labels<3>, Names, SliceGeometry>(
      labels, [](const SliceLabels& v) { return std::make_tuple(lend(v.labels), v.names, v.geometry); },
      [](const Labels<3>& values, Names names, const SliceGeometry& geometry) {
        return SliceLabels(values.values, std::move(names), geometry);
      });
}

}  // namespace

void bind_arrays(py::module_& m) {
  bind_volume(m);
  bind_label_map(m);
  bind_probability_map(m);
  bind_stack(m);
  bind_slice_labels(m);
}

}  // namespace ichdet::python
