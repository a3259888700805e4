#include "ichdet/core/geometry.hpp"
#include "ichdet/core/slice_stack.hpp"
#include "value.hpp"

namespace ichdet::python {

namespace {

using Points = Eigen::Matrix<double, Eigen::Dynamic, 3, Eigen::RowMajor>;

void bind_geometry(py::module_& m) {
  py::class_<Geometry> geometry(m, "Geometry",
                                R"(A regular grid in space: a size, and an affine from voxel index to LPS millimetres.

Immutable. Indices, sizes and spacings are x, y, z, the reverse of an array's axes; index (0, 0, 0) is the centre of the
first voxel. The affine may be sheared (a tilted gantry).

Parameters
----------
size : (int, int, int)
    Voxels along x, y, z.
affine : (4, 4) float64
    From index (x, y, z, 1) to LPS mm.
frame_of_reference_uid : str
    DICOM's, or empty where it is not known.

Raises
------
GeometryError
    A size is not positive, or the affine is singular or not finite.

Examples
--------
>>> grid = ichdet.Geometry.aligned(size=(512, 512, 32), spacing_mm=(0.45, 0.45, 5))
>>> grid.shape
(32, 512, 512)
>>> grid.to_lps((0, 0, 31))
array([  0.,   0., 155.])
>>> grid.with_spacing((1, 1, 1)).size
(231, 231, 156)
)");
  geometry
      .def(py::init<const Geometry::Size&, const Eigen::Matrix4d&, std::string>(), py::arg("size"), py::arg("affine"),
           py::arg("frame_of_reference_uid") = "", "See the class.")
      .def_static("aligned", &Geometry::aligned, py::arg("size"), py::arg("spacing_mm"),
                  py::arg_v("origin_mm", Eigen::Vector3d(0, 0, 0), "(0, 0, 0)"),
                  "A grid along the LPS axes; size, spacing and origin are x, y, z.")
      .def_property_readonly(
          "size", [](const Geometry& g) { return tuple_of(g.size()); }, "Voxels along x, y, z.")
      .def_property_readonly(
          "shape", [](const Geometry& g) { return tuple_of(g.shape()); },
          "(z, y, x), the shape of an array on this grid.")
      .def_property_readonly("affine", &Geometry::affine, "(4, 4) float64, from index (x, y, z, 1) to LPS mm.")
      .def_property_readonly("inverse_affine", &Geometry::inverse_affine,
                             "(4, 4) float64, from LPS mm to index (x, y, z, 1).")
      .def_property_readonly("frame_of_reference_uid", &Geometry::frame_of_reference_uid, "DICOM's, or empty.")
      .def_property_readonly("spacing_mm", &Geometry::spacing_mm,
                             "(3,) float64: distance between neighbouring voxel centres along x, y, z.")
      .def_property_readonly("origin_mm", &Geometry::origin_mm, "(3,) float64: LPS position of voxel (0, 0, 0).")
      .def_property_readonly("direction", &Geometry::direction,
                             "(3, 3) float64: unit vectors of the x, y and z axes, as columns.")
      .def_property_readonly("voxel_ml", &Geometry::voxel_ml, "Volume of one voxel in mL.")
      .def("to_lps", &Geometry::to_lps, py::arg("index"),
           "LPS mm of an index (x, y, z), or of each row of an (n, 3) array of them; fractions are allowed.")
      .def(
          "to_lps",
          [](const Geometry& g, const Points& index) {
            Points points(index.rows(), 3);
            for (Eigen::Index i = 0; i < index.rows(); ++i) points.row(i) = g.to_lps(index.row(i).transpose());
            return points;
          },
          py::arg("index"))
      .def("to_index", &Geometry::to_index, py::arg("lps_mm"),
           "Index (x, y, z), with fractions, of a point in LPS mm, or of each row of an (n, 3) array of them.")
      .def(
          "to_index",
          [](const Geometry& g, const Points& lps_mm) {
            Points points(lps_mm.rows(), 3);
            for (Eigen::Index i = 0; i < lps_mm.rows(); ++i) points.row(i) = g.to_index(lps_mm.row(i).transpose());
            return points;
          },
          py::arg("lps_mm"))
      .def("with_spacing", &Geometry::with_spacing, py::arg("spacing_mm"),
           "The same directions and first voxel centre with another spacing (x, y, z); of round((n - 1) * old / new + "
           "1) "
           "voxels, as in blast-ct 2.1.0.")
      .def("reoriented_to_lps", &Geometry::reoriented_to_lps,
           "The same voxels with axes permuted and flipped so that x, y, z run nearest to +L, +P, +S.")
      .def("crop", &Geometry::crop, py::arg("first"), py::arg("size"),
           "The part that starts at voxel `first` (x, y, z; may be negative) and has `size`.")
      .def(
          "same_as", [](const Geometry& a, const Geometry& b, double mm) { return a.same_as(b, {mm}); },
          py::arg("other"), py::arg("tolerance_mm") = GeometryTolerance{}.position_mm,
          "Whether sizes are equal and corner voxel centres within the tolerance. The frame of reference is not "
          "compared.")
      .def(
          "__eq__",
          [](const Geometry& a, const Geometry& b) {
            return a.size() == b.size() && a.affine() == b.affine() &&
                   a.frame_of_reference_uid() == b.frame_of_reference_uid();
          },
          py::arg("other"), py::is_operator(), "Exactly equal, frame of reference included; see `same_as`.")
      .def("__repr__", [](const Geometry& g) { return "<ichdet.Geometry " + g.to_string() + ">"; });
  pickled_as<Geometry::Size, Eigen::Matrix4d, std::string>(
      geometry, [](const Geometry& g) { return std::make_tuple(g.size(), g.affine(), g.frame_of_reference_uid()); },
      [](const Geometry::Size& size, const Eigen::Matrix4d& affine, std::string uid) {
        return Geometry(size, affine, std::move(uid));
      });
}

bool equal(const SlicePlane& a, const SlicePlane& b) {
  return a.position_mm == b.position_mm && a.along_row == b.along_row && a.along_column == b.along_column &&
         a.column_spacing_mm == b.column_spacing_mm && a.row_spacing_mm == b.row_spacing_mm &&
         a.thickness_mm == b.thickness_mm && a.sop_instance_uid == b.sop_instance_uid;
}

void bind_planes(py::module_& m) {
  py::class_<SlicePlane> plane(m, "SlicePlane", R"(Where one slice lies. All vectors are LPS.

Parameters
----------
position_mm : (3,) float64
    Centre of the first pixel (row 0, column 0).
along_row, along_column : (3,) float64
    Unit vectors in which the column index and the row index grow.
column_spacing_mm : float
    Between neighbouring columns, along `along_row` (DICOM PixelSpacing[1]).
row_spacing_mm : float
    Between neighbouring rows, along `along_column` (DICOM PixelSpacing[0]).
thickness_mm : float
    Nominal; 0 where it is not known.
sop_instance_uid : str
    Empty where the slice did not come from DICOM.

Examples
--------
>>> plane = ichdet.SlicePlane(position_mm=(-120, -110, 40), column_spacing_mm=0.5, row_spacing_mm=0.5, thickness_mm=5)
>>> plane.to_lps(row=10, column=20)
array([-110., -105.,   40.])
>>> plane.normal
array([0., 0., 1.])
)");
  using P = SlicePlane;
  plain_struct(plane, Field{"position_mm", &P::position_mm, "(3,) float64, LPS: centre of the first pixel."},
               Field{"along_row", &P::along_row, "(3,) float64, LPS: unit vector in which the column index grows."},
               Field{"along_column", &P::along_column, "(3,) float64, LPS: unit vector in which the row index grows."},
               Field{"column_spacing_mm", &P::column_spacing_mm, "Between neighbouring columns."},
               Field{"row_spacing_mm", &P::row_spacing_mm, "Between neighbouring rows."},
               Field{"thickness_mm", &P::thickness_mm, "Nominal; 0 where it is not known."},
               Field{"sop_instance_uid", &P::sop_instance_uid, "Empty where it is not from DICOM."});
  plane.def_property_readonly("normal", &SlicePlane::normal, "(3,) float64: unit vector, along_row x along_column.")
      .def("to_lps", &SlicePlane::to_lps, py::arg("row"), py::arg("column"), "LPS mm of a pixel's centre.")
      .def("__eq__", equal, py::arg("other"), py::is_operator(), "Exactly equal in every member.")
      .def("__repr__", [](const SlicePlane& p) {
        const auto number = [](double value) { return std::string(py::str(py::float_(value))); };
        return "<ichdet.SlicePlane at (" + number(p.position_mm[0]) + ", " + number(p.position_mm[1]) + ", " +
               number(p.position_mm[2]) + ") mm, pixels of " + number(p.row_spacing_mm) + " x " +
               number(p.column_spacing_mm) + " mm, " + number(p.thickness_mm) + " mm thick>";
      });

  py::class_<SliceGeometry> slices(
      m, "SliceGeometry",
      R"(The planes of a series as acquired, without their pixels: tilt and variable gaps are kept as they are.

Immutable. The planes are parallel, of one matrix size, sorted along their common normal, and no two coincide.

Parameters
----------
planes : list of SlicePlane
    Sorted along the normal; a single one must state its thickness.
rows, columns : int
frame_of_reference_uid : str
    DICOM's, or empty.
grid : Geometry
    In place of all these: the planes along its z axis.

Raises
------
GeometryError
    The planes are not as stated above.

Examples
--------
>>> planes = [ichdet.SlicePlane(position_mm=(0, 0, z)) for z in (0, 5, 10, 20)]
>>> slices = ichdet.SliceGeometry(planes, rows=64, columns=48)
>>> slices.shape, slices.extents_mm
((4, 64, 48), [5.0, 5.0, 7.5, 10.0])
>>> slices.regular() is None
True
)");
  slices
      .def(py::init<std::vector<SlicePlane>, std::int64_t, std::int64_t, std::string>(), py::arg("planes"),
           py::arg("rows"), py::arg("columns"), py::arg("frame_of_reference_uid") = "", "See the class.")
      .def(py::init<const Geometry&>(), py::arg("grid"))
      .def_property_readonly("planes", &SliceGeometry::planes, "SlicePlane of each slice; a copy.")
      .def_property_readonly("count", &SliceGeometry::count, "How many slices.")
      .def_property_readonly("rows", &SliceGeometry::rows, "Rows of each slice.")
      .def_property_readonly("columns", &SliceGeometry::columns, "Columns of each slice.")
      .def_property_readonly(
          "shape", [](const SliceGeometry& g) { return tuple_of(g.shape()); },
          "(slice, row, column), the shape of an array on it.")
      .def_property_readonly("frame_of_reference_uid", &SliceGeometry::frame_of_reference_uid, "DICOM's, or empty.")
      .def_property_readonly("normal", &SliceGeometry::normal, "(3,) float64: common unit normal, LPS.")
      .def_property_readonly("offsets_mm", &SliceGeometry::offsets_mm,
                             "Distance of each plane from the first, along the normal; increasing from 0.")
      .def_property_readonly("extents_mm", &SliceGeometry::extents_mm,
                             "How much space each slice stands for along the normal: half-way to each neighbour; at "
                             "both ends as far outwards as inwards. A single slice: its thickness.")
      .def_property_readonly("nominal_gap_mm", &SliceGeometry::nominal_gap_mm,
                             "Median distance between neighbouring planes; a single slice: its thickness.")
      .def_property_readonly("tilt_degrees", &SliceGeometry::tilt_degrees,
                             "The gantry's tilt: angle between the normal and the direction from slice to slice.")
      .def("regular", &SliceGeometry::regular, py::arg("tolerance_mm") = 0.01,
           "The exact grid, sheared if the gantry was tilted, where all steps are equal; else None.")
      .def("nominal", &SliceGeometry::nominal,
           "`regular()`, or else a grid of the same slices with the mean step from the first to the last plane.")
      .def("__len__", &SliceGeometry::count, "How many slices.")
      .def(
          "__eq__",
          [](const SliceGeometry& a, const SliceGeometry& b) {
            return a.shape() == b.shape() && a.frame_of_reference_uid() == b.frame_of_reference_uid() &&
                   std::equal(a.planes().begin(), a.planes().end(), b.planes().begin(), equal);
          },
          py::arg("other"), py::is_operator(), "Exactly equal, UIDs included.")
      .def("__repr__", [](const SliceGeometry& g) {
        const auto number = [](double value) {
          return std::string(py::str(py::float_(std::round(value * 1e3) / 1e3)));
        };
        const auto& first = g.planes().front();
        return "<ichdet.SliceGeometry (slice, row, column) = (" + std::to_string(g.count()) + ", " +
               std::to_string(g.rows()) + ", " + std::to_string(g.columns()) + "), pixels of " +
               number(first.row_spacing_mm) + " x " + number(first.column_spacing_mm) + " mm, every " +
               number(g.nominal_gap_mm()) + " mm, tilt " + number(g.tilt_degrees()) + " degrees>";
      });
  pickled_as<std::vector<SlicePlane>, std::int64_t, std::int64_t, std::string>(
      slices,
      [](const SliceGeometry& g) {
        return std::make_tuple(g.planes(), g.rows(), g.columns(), g.frame_of_reference_uid());
      },
      [](std::vector<SlicePlane> planes, std::int64_t rows, std::int64_t columns, std::string uid) {
        return SliceGeometry(std::move(planes), rows, columns, std::move(uid));
      });
}

void bind_identity(py::module_& m) {
  py::class_<SeriesIdentity> identity(m, "SeriesIdentity",
                                      R"(Who was scanned and how; empty where the source does not say.

Parameters
----------
study_instance_uid, series_instance_uid, series_description, convolution_kernel, manufacturer, modality, study_date,
patient_id : str
    As DICOM has them.

Examples
--------
>>> ichdet.SeriesIdentity(series_description="HEAD 5mm", convolution_kernel="H31s").convolution_kernel
'H31s'
)");
  using I = SeriesIdentity;
  plain_struct(identity, Field{"study_instance_uid", &I::study_instance_uid, "StudyInstanceUID."},
               Field{"series_instance_uid", &I::series_instance_uid, "SeriesInstanceUID."},
               Field{"series_description", &I::series_description, "SeriesDescription."},
               Field{"convolution_kernel", &I::convolution_kernel, "ConvolutionKernel."},
               Field{"manufacturer", &I::manufacturer, "Manufacturer."}, Field{"modality", &I::modality, "Modality."},
               Field{"study_date", &I::study_date, "StudyDate, YYYYMMDD."},
               Field{"patient_id", &I::patient_id, "PatientID."});
  identity.def("__repr__", [](const SeriesIdentity& i) {
    return "<ichdet.SeriesIdentity " + i.modality + " '" + i.series_description + "' " + i.series_instance_uid + ">";
  });
}

}  // namespace

void bind_types(py::module_& m) {
  bind_geometry(m);
  bind_planes(m);
  bind_identity(m);
}

}  // namespace ichdet::python
