#include <pybind11/stl/filesystem.h>

#include <variant>

#include "ichdet/io/dicom.hpp"
#include "ichdet/io/dicom_write.hpp"
#include "ichdet/io/series.hpp"
#include "value.hpp"
#include "watched.hpp"

namespace ichdet::python {

namespace {

using Paths = std::variant<std::filesystem::path, std::vector<std::filesystem::path>>;

std::vector<std::filesystem::path> listed(const Paths& paths) {
  if (const auto* one = std::get_if<std::filesystem::path>(&paths)) return {*one};
  return std::get<std::vector<std::filesystem::path>>(paths);
}

void bind_slices(py::module_& m) {
  py::class_<io::SliceRef>(m, "SliceRef",
                           R"(One slice: a file, or one frame of a multi-frame file. From SeriesInfo.slices.

Examples
--------
>>> with tempfile.TemporaryDirectory() as folder:
...     grid = ichdet.Geometry.aligned(size=(32, 32, 2), spacing_mm=(7, 7, 40))
...     stack = ichdet.SliceStack(ichdet.SliceGeometry(grid), np.full(grid.shape, 30, "float32"))
...     files = ichdet.write_series(stack, folder)
...     first = ichdet.scan(folder).series[0].slices[0]
>>> first.file.name, first.slope, first.intercept, first.bits_stored
('0001.dcm', 1.0, 0.0, 16)
)")
      .def_readonly("file", &io::SliceRef::file, "Where it lies.")
      .def_readonly("frame", &io::SliceRef::frame, "From 0.")
      .def_readonly("plane", &io::SliceRef::plane, "SlicePlane: where it lies in space.")
      .def_readonly("slope", &io::SliceRef::slope, "HU = slope * stored + intercept.")
      .def_readonly("intercept", &io::SliceRef::intercept, "HU = slope * stored + intercept.")
      .def_readonly("instance_number", &io::SliceRef::instance_number, "InstanceNumber, or None.")
      .def_property_readonly(
          "transfer_syntax_uid", [](const io::SliceRef& s) { return s.pixels.transfer_syntax_uid; },
          "How its pixels are encoded.")
      .def_property_readonly(
          "rows", [](const io::SliceRef& s) { return s.pixels.rows; }, "Rows.")
      .def_property_readonly(
          "columns", [](const io::SliceRef& s) { return s.pixels.columns; }, "Columns.")
      .def_property_readonly(
          "bits_stored", [](const io::SliceRef& s) { return s.pixels.bits_stored; }, "BitsStored.")
      .def_property_readonly(
          "is_signed", [](const io::SliceRef& s) { return s.pixels.is_signed; }, "PixelRepresentation is 1.")
      .def_property_readonly(
          "photometric", [](const io::SliceRef& s) { return s.pixels.photometric; },
          "'MONOCHROME1' or 'MONOCHROME2'; stored values are HU all the same.")
      .def_property_readonly(
          "lossy", [](const io::SliceRef& s) { return s.pixels.lossy; }, "Compressed with loss at some time.")
      .def_property_readonly("is_wrapped_12bit", &io::is_wrapped_12bit,
                             "Of RSNA's wrapped slices: BitsStored 12, unsigned, intercept above -100.")
      .def("__repr__", [](const io::SliceRef& s) {
        return "<ichdet.SliceRef " + s.file.string() + ", frame " + std::to_string(s.frame) + ">";
      });

  py::class_<io::SliceGap>(m, "SliceGap",
                           R"(A distance between neighbouring slices that is not the usual one. From SeriesInfo.gaps.

Examples
--------
>>> with tempfile.TemporaryDirectory() as folder:
...     grid = ichdet.Geometry.aligned(size=(32, 32, 6), spacing_mm=(7, 7, 5))
...     stack = ichdet.SliceStack(ichdet.SliceGeometry(grid), np.full(grid.shape, 30, "float32"))
...     files = ichdet.write_series(stack, folder)
...     files[2].unlink()
...     gap = ichdet.scan(folder).series[0].gaps[0]
>>> gap.after, gap.gap_mm, gap.usual_mm, gap.missing
(1, 10.0, 5.0, True)
)")
      .def_readonly("after", &io::SliceGap::after, "Between this slice and the next, along the normal.")
      .def_readonly("gap_mm", &io::SliceGap::gap_mm, "Along the normal.")
      .def_readonly("usual_mm", &io::SliceGap::usual_mm, "What the neighbours suggest.")
      .def_readonly("missing", &io::SliceGap::missing, "Taken for a lost slice; else for the protocol's own spacing.")
      .def_readonly("reason", &io::SliceGap::reason, "In words.")
      .def("__repr__", [](const io::SliceGap& g) {
        return "<ichdet.SliceGap of " + std::string(py::str(py::float_(g.gap_mm))) + " mm after slice " +
               std::to_string(g.after) + (g.missing ? ", a slice is missing>" : ">");
      });
}

void bind_series(py::module_& m) {
  using S = io::SeriesInfo;
  py::class_<S>(m, "SeriesInfo", R"(What the headers say about one series; no pixel was read. From Inventory.series.

Examples
--------
>>> with tempfile.TemporaryDirectory() as folder:
...     grid = ichdet.Geometry.aligned(size=(32, 32, 3), spacing_mm=(7, 7, 40))
...     stack = ichdet.SliceStack(ichdet.SliceGeometry(grid), np.full(grid.shape, 30, "float32"))
...     files = ichdet.write_series(stack, folder)
...     series = ichdet.scan(folder).series[0]
...     hu = ichdet.read_series(series).hu
>>> series
<ichdet.SeriesInfo series 1 'HEAD CT' (3 slices)>
>>> series.rows, series.gap_mm, series.problems
(32, 40.0, [])
>>> bool(np.array_equal(hu, stack.hu))
True
)")
      .def_readonly("identity", &S::identity, "SeriesIdentity: who was scanned and how.")
      .def_readonly("frame_of_reference_uid", &S::frame_of_reference_uid, "FrameOfReferenceUID, or empty.")
      .def_readonly("study_description", &S::study_description, "StudyDescription.")
      .def_readonly("protocol_name", &S::protocol_name, "ProtocolName.")
      .def_readonly("body_part", &S::body_part, "BodyPartExamined.")
      .def_readonly("image_type", &S::image_type, "ImageType, its values joined by backslashes.")
      .def_readonly("contrast", &S::contrast, "ContrastBolusAgent is filled in.")
      .def_readonly("series_number", &S::series_number, "SeriesNumber, or None.")
      .def_readonly("part", &S::part, "0, or which part of a series that was split, from 1.")
      .def_readonly("rows", &S::rows, "Rows of each slice.")
      .def_readonly("columns", &S::columns, "Columns of each slice.")
      .def_readonly("slices", &S::slices, "SliceRef, sorted along the normal.")
      .def_readonly("row_spacing_mm", &S::row_spacing_mm, "Between rows, of the first slice.")
      .def_readonly("column_spacing_mm", &S::column_spacing_mm, "Between columns, of the first slice.")
      .def_readonly("thickness_mm", &S::thickness_mm, "Of the first slice; 0 where the file does not say.")
      .def_readonly("gap_mm", &S::gap_mm, "Median along the normal; 0 for a single slice.")
      .def_readonly("extent_mm", &S::extent_mm, "From the first to the last slice, along the normal.")
      .def_readonly("tilt_degrees", &S::tilt_degrees, "Of the gantry; None for a single slice.")
      .def_readonly("gaps", &S::gaps, "SliceGap: those that are not the usual one.")
      .def_readonly("problems", &S::problems, "Why it cannot be read, naming file and tag; empty where it can.")
      .def_readonly("notes", &S::notes, "Contradictions that do not stop a reader.")
      .def_property_readonly("missing_slices", &S::missing_slices, "How many slices seem to be missing.")
      .def("__repr__", [](const S& s) { return "<ichdet.SeriesInfo " + io::describe(s) + ">"; });

  py::class_<io::SetAside>(m, "SetAside", R"(A file that is part of no series, and why. From Inventory.set_aside.

Examples
--------
>>> with tempfile.TemporaryDirectory() as folder:
...     _ = (pathlib.Path(folder) / "notes.txt").write_text("no DICOM")
...     [file.rule for file in ichdet.scan(folder).set_aside]
['not DICOM']
)")
      .def_readonly("file", &io::SetAside::file, "Where it lies.")
      .def_property_readonly(
          "rule", [](const io::SetAside& s) { return std::string(to_string(s.rule)); },
          "'not DICOM', 'unreadable', 'not CT', 'no pixels', 'localizer', 'exam summary/secondary capture', "
          "'duplicate' or 'stray orientation'.")
      .def_readonly("detail", &io::SetAside::detail, "What was found.")
      .def_readonly("series_instance_uid", &io::SetAside::series_instance_uid, "Empty where it is not known.")
      .def_readonly("series_description", &io::SetAside::series_description, "Empty where it is not known.")
      .def("__repr__", [](const io::SetAside& s) {
        return "<ichdet.SetAside " + s.file.string() + ": " + std::string(to_string(s.rule)) + ">";
      });

  py::class_<io::Inventory>(m, "Inventory", R"(What is in a folder. From `scan`.

Examples
--------
>>> with tempfile.TemporaryDirectory() as folder:
...     inventory = ichdet.scan(folder)
>>> inventory
<ichdet.Inventory of 0 series, 0 files set aside>
)")
      .def_readonly("name", &io::Inventory::name, "What was scanned, as errors name it.")
      .def_readonly("series", &io::Inventory::series, "SeriesInfo, by study, series number, UID, part.")
      .def_readonly("set_aside", &io::Inventory::set_aside, "SetAside, by path: with the rule for each file.")
      .def("__repr__", [](const io::Inventory& i) {
        return "<ichdet.Inventory of " + std::to_string(i.series.size()) + " series, " +
               std::to_string(i.set_aside.size()) + " files set aside>";
      });
}

void bind_scan(py::module_& m) {
  const io::DicomLimits usual;
  m.def(
      "scan",
      [](const Paths& inputs, int threads, int nesting, std::int64_t elements, std::int64_t value_bytes,
         std::int64_t inflated_bytes, const ProgressArgument& progress) {
        const auto paths = listed(inputs);
        return watched(progress, [&](const Progress& told) {
          return io::scan(paths, {threads, {nesting, elements, value_bytes, inflated_bytes}}, told);
        });
      },
      py::arg("inputs"), py::kw_only(), py::arg("threads") = io::ScanOptions{}.threads,
      py::arg("max_nesting") = usual.nesting, py::arg("max_elements") = usual.elements,
      py::arg("max_value_bytes") = usual.value_bytes, py::arg("max_inflated_bytes") = usual.inflated_bytes,
      py::arg("progress") = py::none(), R"(Read the headers of DICOM files and group them by series. No pixel is read.

Parameters
----------
inputs : path or list of paths
    Files, or folders of any nesting; their order does not matter.
threads : int
    0: as many as the machine has.
max_nesting : int
    Of sequences within sequences: what a hostile file may make us do, as are the next three.
max_elements : int
    Data elements in one header, nested ones included.
max_value_bytes : int
    Longer values of a header are passed over.
max_inflated_bytes : int
    Of a deflated data set.
progress : None, True or function of (stage, fraction)

Returns
-------
Inventory
    `series` (SeriesInfo, slices sorted along the normal) and `set_aside` (file, rule, detail).

Raises
------
IoError
    An input does not exist. What is wrong with single files is told in the inventory.

Examples
--------
>>> with tempfile.TemporaryDirectory() as folder:
...     grid = ichdet.Geometry.aligned(size=(32, 32, 4), spacing_mm=(7, 7, 30))
...     stack = ichdet.SliceStack(ichdet.SliceGeometry(grid), np.full(grid.shape, 30, "float32"))
...     files = ichdet.write_series(stack, folder)
...     inventory = ichdet.scan(folder)
>>> [(len(series.slices), series.thickness_mm) for series in inventory.series]
[(4, 30.0)]
)");
  m.def(
      "choose_head_series",
      [](const io::Inventory& inventory, const std::string& series_uid, const std::string& study_uid) {
        const auto choice = io::choose_head_series(inventory, {series_uid, study_uid});
        return std::pair(choice.index, choice.assumptions);
      },
      py::arg("inventory"), py::kw_only(), py::arg("series_uid") = "", py::arg("study_uid") = "",
      py::call_guard<py::gil_scoped_release>(), R"(Choose the series that shows the head best for finding blood.

CT that can be read, within 45 degrees of axial; then, in this order: no contrast agent, named as a head, extent, soft
kernel, not reformatted, complete, most slices, lowest series number and UID.

Parameters
----------
inventory : Inventory
series_uid : str
    Take this one, whatever the rules say.
study_uid : str
    Look in this study alone.

Returns
-------
(int, list of str)
    Index into `inventory.series`, and what was assumed.

Raises
------
DicomError
    Nothing is suitable, or several studies are and none is named, or a named UID is not there; lists what was there.

Examples
--------
>>> with tempfile.TemporaryDirectory() as folder:
...     grid = ichdet.Geometry.aligned(size=(32, 32, 4), spacing_mm=(7, 7, 30))
...     stack = ichdet.SliceStack(ichdet.SliceGeometry(grid), np.full(grid.shape, 30, "float32"))
...     files = ichdet.write_series(stack, folder)
...     ichdet.choose_head_series(ichdet.scan(folder))
(0, [])
)");
}

void bind_is_dicom(py::module_& m) {
  m.def(
      "is_dicom", [](const std::filesystem::path& file) { return io::is_dicom(file); }, py::arg("file"),
      py::call_guard<py::gil_scoped_release>(), R"(Whether a file starts as DICOM does: 128 bytes, then "DICM".

Parameters
----------
file : path

Returns
-------
bool

Examples
--------
>>> with tempfile.TemporaryDirectory() as folder:
...     file = pathlib.Path(folder) / "slice"
...     _ = file.write_bytes(bytes(128) + b"DICM")
...     ichdet.is_dicom(file)
True
)");
}

void bind_read(py::module_& m) {
  const io::DicomReadOptions usual;
  m.def(
      "read_series",
      [](const io::SeriesInfo& series, bool allow_gaps, bool repair, double thickness_mm, std::int64_t max_bytes,
         int threads, const ProgressArgument& progress) {
        return watched(progress, [&](const Progress& told) {
          return io::read_series(series, {allow_gaps, repair, thickness_mm, max_bytes, threads}, told);
        });
      },
      py::arg("series"), py::kw_only(), py::arg("allow_gaps") = usual.allow_gaps,
      py::arg("repair_wrapped_12bit") = usual.repair_wrapped_12bit,
      py::arg("slice_thickness_mm") = usual.slice_thickness_mm, py::arg("max_bytes") = usual.max_bytes,
      py::arg("threads") = usual.threads, py::arg("progress") = py::none(),
      R"(Read a scanned series to Hounsfield units.

Parameters
----------
series : SeriesInfo
allow_gaps : bool
    Read a series in which slices are missing; the assumptions say where.
repair_wrapped_12bit : bool
    Mend RSNA's wrapped slices (BitsStored 12, unsigned, intercept above -100); the assumptions say so.
slice_thickness_mm : float
    Over what the files say. 0: the files', and 5 mm where a single slice has none.
max_bytes : int
    Of the HU array.
threads : int
    0: as many as the machine has.
progress : None, True or function of (stage, fraction)

Returns
-------
SliceStack
    `hu` (slice, row, column), float32, equal to pydicom's rescaled pixels bit for bit before the repair.

Raises
------
DicomError
    What is missing, contradictory or cut off, naming file and tag.
GeometryError
    Slices are missing.
LimitError
    Beyond `max_bytes`.

Notes
-----
HU = slope * stored + intercept, in double, rounded once. Native pixels, RLE and lossless JPEG are decoded here, JPEG-LS
and JPEG 2000 by GDCM.

Examples
--------
>>> with tempfile.TemporaryDirectory() as folder:
...     grid = ichdet.Geometry.aligned(size=(32, 32, 4), spacing_mm=(7, 7, 30))
...     stack = ichdet.SliceStack(ichdet.SliceGeometry(grid), np.full(grid.shape, 30, "float32"))
...     files = ichdet.write_series(stack, folder)
...     again = ichdet.read_series(ichdet.scan(folder).series[0])
>>> bool(np.array_equal(again.hu, stack.hu))
True
)");
  m.def(
      "read_dicom",
      [](const Paths& inputs, const std::string& series_uid, const std::string& study_uid, bool allow_gaps, bool repair,
         double thickness_mm, std::int64_t max_bytes, int threads, const ProgressArgument& progress) {
        const auto paths = listed(inputs);
        return watched(progress, [&](const Progress& told) {
          return io::read_dicom(paths, {allow_gaps, repair, thickness_mm, max_bytes, threads}, {series_uid, study_uid},
                                told);
        });
      },
      py::arg("inputs"), py::kw_only(), py::arg("series_uid") = "", py::arg("study_uid") = "",
      py::arg("allow_gaps") = usual.allow_gaps, py::arg("repair_wrapped_12bit") = usual.repair_wrapped_12bit,
      py::arg("slice_thickness_mm") = usual.slice_thickness_mm, py::arg("max_bytes") = usual.max_bytes,
      py::arg("threads") = usual.threads, py::arg("progress") = py::none(),
      R"(Scan files or folders, choose the head series and read it: `scan`, `choose_head_series`, `read_series` in one.

Parameters
----------
inputs : path or list of paths
    Files, or folders of any nesting.
series_uid : str
    Take this series, whatever the rules say.
study_uid : str
    Look in this study alone.
allow_gaps, repair_wrapped_12bit, slice_thickness_mm, max_bytes, threads
    As of `read_series`.
progress : None, True or function of (stage, fraction)

Returns
-------
SliceStack
    Its `assumptions` tell which series was chosen and why, and which files of it could not be read.

Raises
------
IoError, DicomError, GeometryError, LimitError
    As of the three.

Examples
--------
>>> with tempfile.TemporaryDirectory() as folder:
...     grid = ichdet.Geometry.aligned(size=(32, 32, 4), spacing_mm=(7, 7, 30))
...     stack = ichdet.SliceStack(ichdet.SliceGeometry(grid), np.full(grid.shape, 30, "float32"))
...     files = ichdet.write_series(stack, folder)
...     ichdet.read_dicom(folder)
<ichdet.SliceStack (slice, row, column) = (4, 32, 32) float32 HU, every 30.0 mm>
)");
  m.def(
      "repair_wrapped_12bit",
      [](const py::array_t<float, py::array::c_style | py::array::forcecast>& hu, double slope, double intercept) {
        py::array_t<float> mended(std::vector<py::ssize_t>(hu.shape(), hu.shape() + hu.ndim()));
        std::copy_n(hu.data(), hu.size(), mended.mutable_data());
        io::repair_wrapped_12bit({mended.mutable_data(), std::size_t(mended.size())}, slope, intercept);
        return mended;
      },
      py::arg("hu"), py::arg("slope"), py::arg("intercept"),
      R"(Mend slices of the RSNA 2019 challenge whose 12-bit values wrapped around.

1000 is added to the stored values, those from 4096 on lose 4096, and the intercept becomes -1000.

Parameters
----------
hu : float32 of any shape
    From unsigned pixels with BitsStored 12 and an intercept above -100.
slope, intercept : float
    HU = slope * stored + intercept.

Returns
-------
float32 of this shape
    A copy.

Notes
-----
fix_pxrepr in the challenge's public notebooks. `read_series` does it where `SliceRef.is_wrapped_12bit`.

Examples
--------
>>> ichdet.repair_wrapped_12bit(np.array([40, 3096, 4000], "float32"), slope=1, intercept=0)
array([   40., -1000.,   -96.], dtype=float32)
)");
}

void bind_write(py::module_& m) {
  const io::DicomWriteOptions usual;
  m.def(
      "write_series",
      [](const SliceStack& stack, const std::filesystem::path& folder, std::uint64_t seed, int bits_stored,
         const std::string& patient_name, const std::string& patient_id, const std::string& series_description,
         const std::string& manufacturer, const std::string& image_type, int series_number, double window_center_hu,
         double window_width_hu, bool overwrite, int threads, const ProgressArgument& progress) {
        return watched(progress, [&](const Progress& told) {
          return io::write_series(stack, folder,
                                  {seed, bits_stored, patient_name, patient_id, series_description, manufacturer,
                                   image_type, series_number, window_center_hu, window_width_hu, overwrite, threads},
                                  told);
        });
      },
      py::arg("stack"), py::arg("folder"), py::kw_only(), py::arg("seed") = usual.seed,
      py::arg("bits_stored") = usual.bits_stored, py::arg("patient_name") = usual.patient_name,
      py::arg("patient_id") = usual.patient_id, py::arg("series_description") = usual.series_description,
      py::arg("manufacturer") = usual.manufacturer, py::arg("image_type") = usual.image_type,
      py::arg("series_number") = usual.series_number, py::arg("window_center_hu") = usual.window_center_hu,
      py::arg("window_width_hu") = usual.window_width_hu, py::arg("overwrite") = usual.overwrite,
      py::arg("threads") = usual.threads, py::arg("progress") = py::none(),
      R"(Write a series of CT Image Storage, one file a slice, explicit VR little endian.

Planes are kept as they are: tilt, variable gaps. HU are rounded to integers (half to even) and clamped to what
`bits_stored` holds; padded pixels become PixelPaddingValue.

Parameters
----------
stack : SliceStack
folder : path
    Gets 0001.dcm, ... along the normal.
seed : int
    UIDs come from it and the content: equal input gives equal files.
bits_stored : int
    16: signed, -32768..32767 HU; 12: unsigned, -1024..3071 HU.
patient_name : str
patient_id, series_description, manufacturer : str
    Used where the stack's identity has none.
image_type : str
    ImageType, its values joined by backslashes.
series_number : int
window_center_hu, window_width_hu : float
    What a viewer shows at first.
overwrite : bool
    Write into a folder that has something in it.
threads : int
    0: as many as the machine has.
progress : None, True or function of (stage, fraction)

Returns
-------
list of pathlib.Path

Raises
------
OptionsError
    Another `bits_stored`.
IoError
    The folder is in use or cannot be written.
DicomError
    A value is not finite.

Examples
--------
>>> with tempfile.TemporaryDirectory() as folder:
...     grid = ichdet.Geometry.aligned(size=(32, 32, 2), spacing_mm=(7, 7, 40))
...     stack = ichdet.SliceStack(ichdet.SliceGeometry(grid), np.full(grid.shape, 30, "float32"))
...     [path.name for path in ichdet.write_series(stack, folder)]
['0001.dcm', '0002.dcm']
)");
}

}  // namespace

void bind_io(py::module_& m) {
  bind_slices(m);
  bind_series(m);
  bind_is_dicom(m);
  bind_scan(m);
  bind_read(m);
  bind_write(m);
}

}  // namespace ichdet::python
