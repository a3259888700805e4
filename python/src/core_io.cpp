#include <pybind11/stl/filesystem.h>

#include <variant>

#include "convert.hpp"
#include "ichdet/io/dicom.hpp"
#include "ichdet/io/dicom_write.hpp"
#include "ichdet/io/series.hpp"

namespace ichdet::python {

namespace {

using Paths = std::variant<std::filesystem::path, std::vector<std::filesystem::path>>;

std::vector<std::filesystem::path> listed(const Paths& paths) {
  if (const auto* one = std::get_if<std::filesystem::path>(&paths)) return {*one};
  return std::get<std::vector<std::filesystem::path>>(paths);
}

io::DicomReadOptions read_options(bool allow_gaps, bool repair, double thickness_mm, int threads) {
  io::DicomReadOptions options;
  options.allow_gaps = allow_gaps;
  options.repair_wrapped_12bit = repair;
  options.slice_thickness_mm = thickness_mm;
  options.threads = threads;
  return options;
}

void bind_series(py::module_& m) {
  py::class_<SeriesIdentity>(m, "SeriesIdentity", "Who was scanned and how; empty where the source does not say.")
      .def_readonly("study_instance_uid", &SeriesIdentity::study_instance_uid)
      .def_readonly("series_instance_uid", &SeriesIdentity::series_instance_uid)
      .def_readonly("series_description", &SeriesIdentity::series_description)
      .def_readonly("convolution_kernel", &SeriesIdentity::convolution_kernel)
      .def_readonly("manufacturer", &SeriesIdentity::manufacturer)
      .def_readonly("modality", &SeriesIdentity::modality)
      .def_readonly("study_date", &SeriesIdentity::study_date)
      .def_readonly("patient_id", &SeriesIdentity::patient_id);

  py::class_<io::SliceRef>(m, "SliceRef", "One slice: a file, or one frame of a multi-frame file.")
      .def_readonly("file", &io::SliceRef::file)
      .def_readonly("frame", &io::SliceRef::frame)
      .def_readonly("plane", &io::SliceRef::plane)
      .def_readonly("slope", &io::SliceRef::slope)
      .def_readonly("intercept", &io::SliceRef::intercept)
      .def_readonly("instance_number", &io::SliceRef::instance_number)
      .def_property_readonly("transfer_syntax_uid", [](const io::SliceRef& s) { return s.pixels.transfer_syntax_uid; })
      .def_property_readonly("bits_stored", [](const io::SliceRef& s) { return s.pixels.bits_stored; })
      .def_property_readonly("is_signed", [](const io::SliceRef& s) { return s.pixels.is_signed; });

  py::class_<io::SliceGap>(m, "SliceGap", "A distance between neighbouring slices that is not the usual one.")
      .def_readonly("after", &io::SliceGap::after)
      .def_readonly("gap_mm", &io::SliceGap::gap_mm)
      .def_readonly("usual_mm", &io::SliceGap::usual_mm)
      .def_readonly("missing", &io::SliceGap::missing)
      .def_readonly("reason", &io::SliceGap::reason);

  py::class_<io::SeriesInfo>(m, "SeriesInfo", "What the headers say about one series; no pixel was read.")
      .def_readonly("identity", &io::SeriesInfo::identity)
      .def_readonly("frame_of_reference_uid", &io::SeriesInfo::frame_of_reference_uid)
      .def_readonly("series_number", &io::SeriesInfo::series_number)
      .def_readonly("part", &io::SeriesInfo::part, "0, or which part of a series that was split, from 1")
      .def_readonly("rows", &io::SeriesInfo::rows)
      .def_readonly("columns", &io::SeriesInfo::columns)
      .def_readonly("slices", &io::SeriesInfo::slices, "SliceRef, sorted along the normal")
      .def_readonly("row_spacing_mm", &io::SeriesInfo::row_spacing_mm)
      .def_readonly("column_spacing_mm", &io::SeriesInfo::column_spacing_mm)
      .def_readonly("thickness_mm", &io::SeriesInfo::thickness_mm)
      .def_readonly("gap_mm", &io::SeriesInfo::gap_mm, "median along the normal")
      .def_readonly("extent_mm", &io::SeriesInfo::extent_mm)
      .def_readonly("tilt_degrees", &io::SeriesInfo::tilt_degrees, "None for a single slice")
      .def_readonly("gaps", &io::SeriesInfo::gaps, "SliceGap: those that are not the usual one")
      .def_readonly("problems", &io::SeriesInfo::problems, "why it cannot be read; empty where it can")
      .def_readonly("notes", &io::SeriesInfo::notes)
      .def("__repr__", [](const io::SeriesInfo& s) { return "<ichdet.SeriesInfo " + io::describe(s) + ">"; });

  py::class_<io::SetAside>(m, "SetAside", "A file that is part of no series, and why.")
      .def_readonly("file", &io::SetAside::file)
      .def_property_readonly("rule", [](const io::SetAside& s) { return std::string(to_string(s.rule)); })
      .def_readonly("detail", &io::SetAside::detail)
      .def_readonly("series_instance_uid", &io::SetAside::series_instance_uid)
      .def("__repr__", [](const io::SetAside& s) {
        return "<ichdet.SetAside " + s.file.string() + ": " + std::string(to_string(s.rule)) + ">";
      });

  py::class_<io::Inventory>(m, "Inventory",
                            "What is in a folder: `series`, and `set_aside` with the rule for each file.")
      .def_readonly("series", &io::Inventory::series)
      .def_readonly("set_aside", &io::Inventory::set_aside);
}

}  // namespace

void bind_io(py::module_& m) {
  bind_series(m);
  static_cast<py::class_<SliceStack>>(m.attr("SliceStack"))
      .def_readonly("identity", &SliceStack::identity, "SeriesIdentity: who was scanned and how");

  m.def(
      "scan",
      [](const Paths& inputs, int threads) {
        const auto paths = listed(inputs);
        io::ScanOptions options;
        options.threads = threads;
        const py::gil_scoped_release released;
        return io::scan(paths, options);
      },
      py::arg("inputs"), py::kw_only(), py::arg("threads") = 0,
      R"(Read the headers of DICOM files and group them by series. No pixel is read.

Parameters
----------
inputs : path or list of paths
    Files, or folders of any nesting.
threads : int
    0: as many as the machine has.

Returns
-------
Inventory
    `series` (SeriesInfo, slices sorted along the normal) and `set_aside` (file, rule, detail).

Raises
------
Error
    `io` where an input does not exist. What is wrong with single files is told in the inventory.
)");

  m.def(
      "choose_head_series",
      [](const io::Inventory& inventory, const std::string& series_uid, const std::string& study_uid) {
        io::SelectOptions options;
        options.series_uid = series_uid;
        options.study_uid = study_uid;
        const auto choice = io::choose_head_series(inventory, options);
        return std::pair(choice.index, choice.assumptions);
      },
      py::arg("inventory"), py::kw_only(), py::arg("series_uid") = "", py::arg("study_uid") = "",
      R"(Choose the series that shows the head best for finding blood.

Axial CT that can be read; then, in this order: no contrast agent, named as a head, extent, soft kernel, not
reformatted, complete, most slices, lowest series number and UID.

Returns
-------
(int, list of str)
    Index into `inventory.series`, and what was assumed.
)");

  m.def(
      "read_series",
      [](const io::SeriesInfo& series, bool allow_gaps, bool repair, double thickness_mm, int threads) {
        const auto options = read_options(allow_gaps, repair, thickness_mm, threads);
        const py::gil_scoped_release released;
        return io::read_series(series, options);
      },
      py::arg("series"), py::kw_only(), py::arg("allow_gaps") = false, py::arg("repair_wrapped_12bit") = true,
      py::arg("slice_thickness_mm") = 0.0, py::arg("threads") = 0,
      R"(Read a scanned series to Hounsfield units.

Parameters
----------
series : SeriesInfo
allow_gaps : bool
    Read a series in which slices are missing; the assumptions say where.
repair_wrapped_12bit : bool
    Mend RSNA's wrapped slices (BitsStored 12, unsigned, intercept above -100).
slice_thickness_mm : float
    Over what the files say. 0: the files', and 5 mm where a single slice has none.

Returns
-------
SliceStack
    `hu` (slice, row, column), float32, equal to pydicom's rescaled pixels bit for bit before the repair.

Raises
------
Error
    `dicom` for what is missing, contradictory or cut off, naming file and tag; `geometry` where slices are missing.
)");

  m.def(
      "read_dicom",
      [](const Paths& inputs, const std::string& series_uid, const std::string& study_uid, bool allow_gaps, bool repair,
         double thickness_mm, int threads) {
        const auto paths = listed(inputs);
        const auto options = read_options(allow_gaps, repair, thickness_mm, threads);
        io::SelectOptions select;
        select.series_uid = series_uid;
        select.study_uid = study_uid;
        const py::gil_scoped_release released;
        return io::read_dicom(paths, options, select);
      },
      py::arg("inputs"), py::kw_only(), py::arg("series_uid") = "", py::arg("study_uid") = "",
      py::arg("allow_gaps") = false, py::arg("repair_wrapped_12bit") = true, py::arg("slice_thickness_mm") = 0.0,
      py::arg("threads") = 0,
      R"(Scan files or folders, choose the head series and read it: `scan`, `choose_head_series`, `read_series` in one.

Returns
-------
SliceStack
    Its `assumptions` tell which series was chosen and why.
)");

  m.def(
      "write_series",
      [](const SliceStack& stack, const std::filesystem::path& folder, std::uint64_t seed, int bits_stored,
         bool overwrite) {
        io::DicomWriteOptions options;
        options.seed = seed;
        options.bits_stored = bits_stored;
        options.overwrite = overwrite;
        const py::gil_scoped_release released;
        return io::write_series(stack, folder, options);
      },
      py::arg("stack"), py::arg("folder"), py::kw_only(), py::arg("seed") = 0, py::arg("bits_stored") = 16,
      py::arg("overwrite") = false,
      R"(Write a series of CT Image Storage, one file a slice, explicit VR little endian.

HU are rounded to integers and clamped to what `bits_stored` holds (16: signed; 12: -1024..3071). UIDs come from `seed`
and the content: equal input gives equal files.

Returns
-------
list of pathlib.Path
)");
}

}  // namespace ichdet::python
