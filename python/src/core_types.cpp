#include "convert.hpp"
#include "ichdet/core/geometry.hpp"
#include "ichdet/core/slice_stack.hpp"
#include "ichdet/core/volume.hpp"

namespace ichdet::python {

void bind_types(py::module_& m) {
  py::class_<Geometry>(m, "Geometry", "A regular grid: size (x, y, z) and affine from voxel index to LPS millimetres.")
      .def(py::init<const Geometry::Size&, const Eigen::Matrix4d&, std::string>(), py::arg("size"), py::arg("affine"),
           py::arg("frame_of_reference_uid") = "")
      .def_static("aligned", &Geometry::aligned, py::arg("size"), py::arg("spacing_mm"),
                  py::arg("origin_mm") = Eigen::Vector3d(0, 0, 0))
      .def_property_readonly("size", &Geometry::size)
      .def_property_readonly("shape", &Geometry::shape)
      .def_property_readonly("affine", &Geometry::affine)
      .def_property_readonly("spacing_mm", &Geometry::spacing_mm)
      .def_property_readonly("origin_mm", &Geometry::origin_mm)
      .def_property_readonly("direction", &Geometry::direction)
      .def("with_spacing", &Geometry::with_spacing, py::arg("spacing_mm"))
      .def("reoriented_to_lps", &Geometry::reoriented_to_lps)
      .def("crop", &Geometry::crop, py::arg("first"), py::arg("size"))
      .def(
          "same_as", [](const Geometry& a, const Geometry& b, double mm) { return a.same_as(b, {mm}); },
          py::arg("other"), py::arg("tolerance_mm") = 1e-3)
      .def("__repr__", [](const Geometry& g) { return "<ichdet.Geometry " + g.to_string() + ">"; });

  py::class_<Volume>(m, "Volume", "Hounsfield units (z, y, x) on a regular grid.")
      .def(py::init([](py::array_t<float, py::array::c_style | py::array::forcecast> hu, const Geometry& geometry) {
             return Volume(borrow<float, 3>(std::move(hu)), geometry);
           }),
           py::arg("hu"), py::arg("geometry"))
      .def_property_readonly("hu", [](const Volume& v) { return lend(v.hu); })
      .def_readonly("geometry", &Volume::geometry);

  py::class_<LabelMap>(m, "LabelMap", "Labels (z, y, x) on a regular grid; names[label] says what each means.")
      .def(py::init([](py::array_t<std::uint8_t, py::array::c_style | py::array::forcecast> labels,
                       std::vector<std::string> names, const Geometry& geometry) {
             return LabelMap(borrow<std::uint8_t, 3>(std::move(labels)), std::move(names), geometry);
           }),
           py::arg("labels"), py::arg("names"), py::arg("geometry"))
      .def_property_readonly("labels", [](const LabelMap& v) { return lend(v.labels); })
      .def_readonly("names", &LabelMap::names)
      .def_readonly("geometry", &LabelMap::geometry);

  py::class_<SlicePlane>(m, "SlicePlane", "Where one slice lies, in LPS millimetres.")
      .def(py::init<>())
      .def_readwrite("position_mm", &SlicePlane::position_mm)
      .def_readwrite("along_row", &SlicePlane::along_row)
      .def_readwrite("along_column", &SlicePlane::along_column)
      .def_readwrite("column_spacing_mm", &SlicePlane::column_spacing_mm)
      .def_readwrite("row_spacing_mm", &SlicePlane::row_spacing_mm)
      .def_readwrite("thickness_mm", &SlicePlane::thickness_mm)
      .def_readwrite("sop_instance_uid", &SlicePlane::sop_instance_uid);

  py::class_<SliceGeometry>(m, "SliceGeometry", "The planes of a series as acquired.")
      .def(py::init<std::vector<SlicePlane>, std::int64_t, std::int64_t, std::string>(), py::arg("planes"),
           py::arg("rows"), py::arg("columns"), py::arg("frame_of_reference_uid") = "")
      .def(py::init<const Geometry&>(), py::arg("grid"))
      .def_property_readonly("planes", &SliceGeometry::planes)
      .def_property_readonly("shape", &SliceGeometry::shape)
      .def_property_readonly("normal", &SliceGeometry::normal)
      .def_property_readonly("offsets_mm", &SliceGeometry::offsets_mm)
      .def_property_readonly("extents_mm", &SliceGeometry::extents_mm)
      .def_property_readonly("nominal_gap_mm", &SliceGeometry::nominal_gap_mm)
      .def_property_readonly("tilt_degrees", &SliceGeometry::tilt_degrees)
      .def("regular", &SliceGeometry::regular, py::arg("tolerance_mm") = 0.01)
      .def("nominal", &SliceGeometry::nominal);

  py::class_<SliceStack>(m, "SliceStack", "A series as acquired, in Hounsfield units (slice, row, column).")
      .def(py::init([](const SliceGeometry& geometry, py::array_t<float, py::array::c_style | py::array::forcecast> hu,
                       std::optional<py::array_t<std::uint8_t, py::array::c_style | py::array::forcecast>> padding) {
             return SliceStack(geometry, borrow<float, 3>(std::move(hu)),
                               padding ? borrow<std::uint8_t, 3>(std::move(*padding)) : Array3<std::uint8_t>());
           }),
           py::arg("geometry"), py::arg("hu"), py::arg("padding") = py::none())
      .def_readonly("geometry", &SliceStack::geometry)
      .def_property_readonly("hu", [](const SliceStack& s) { return lend(s.hu); })
      .def_property_readonly("padding", [](const SliceStack& s) { return lend(s.padding); })
      .def_readonly("assumptions", &SliceStack::assumptions);

  py::class_<SliceLabels>(m, "SliceLabels", "Labels (slice, row, column) on the planes of a series.")
      .def(py::init([](py::array_t<std::uint8_t, py::array::c_style | py::array::forcecast> labels,
                       std::vector<std::string> names, const SliceGeometry& geometry) {
             return SliceLabels(borrow<std::uint8_t, 3>(std::move(labels)), std::move(names), geometry);
           }),
           py::arg("labels"), py::arg("names"), py::arg("geometry"))
      .def_property_readonly("labels", [](const SliceLabels& v) { return lend(v.labels); })
      .def_readonly("names", &SliceLabels::names)
      .def_readonly("geometry", &SliceLabels::geometry);
}

}  // namespace ichdet::python
