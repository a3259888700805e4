#include <pybind11/stl/filesystem.h>

#include "ichdet/io/study.hpp"
#include "value.hpp"
#include "watched.hpp"

namespace ichdet::python {

void bind_study(py::module_& m) {
  py::class_<io::Study> study(m, "Study", R"(One study, from whatever kind of file it came. From `read_study`.

Examples
--------
See `read_study`.

>>> ichdet.Study.__name__
'Study'
)");
  study.def_readonly("stack", &io::Study::stack, "SliceStack: what models read.")
      .def_readonly("source_grid", &io::Study::source_grid,
                    "Geometry of the NIfTI file it came from, axes in storage order; None for DICOM.")
      .def("__repr__", [](const io::Study& s) {
        return "<ichdet.Study from " + std::string(s.source_grid ? "NIfTI: " : "DICOM: ") +
               std::string(py::repr(py::cast(s.stack))) + ">";
      });
  pickled_as<SliceStack, std::optional<Geometry>>(
      study, [](const io::Study& s) { return std::make_tuple(s.stack, s.source_grid); },
      [](SliceStack stack, std::optional<Geometry> grid) {
        return io::Study{std::move(stack), std::move(grid)};
      });
  const io::StudyOptions usual;
  m.def(
      "read_study",
      [](const std::filesystem::path& path, const std::string& series_uid, bool allow_gaps, double slice_thickness_mm,
         bool repair_wrapped_12bit, const ProgressArgument& progress) {
        return watched(progress, [&](const Progress& told) {
          return io::read_study(path, {series_uid, allow_gaps, slice_thickness_mm, repair_wrapped_12bit}, told);
        });
      },
      py::arg("path"), py::kw_only(), py::arg("series_uid") = usual.series_uid,
      py::arg("allow_gaps") = usual.allow_gaps, py::arg("slice_thickness_mm") = usual.slice_thickness_mm,
      py::arg("repair_wrapped_12bit") = usual.repair_wrapped_12bit, py::arg("progress") = py::none(),
      R"(Read a DICOM folder, one DICOM file or a NIfTI file.

A NIfTI file's slices are the planes along the axis that runs nearest to head-foot.

Parameters
----------
path : path
series_uid : str
    DICOM: this series; empty: the head series, by `choose_head_series`' rules.
allow_gaps : bool
    DICOM: read a series even where a slice seems to be missing.
slice_thickness_mm : float
    Of a single slice; 0: from the file, else 5 mm, said in stack.assumptions.
repair_wrapped_12bit : bool
    DICOM: mend RSNA's wrapped slices (BitsStored 12, unsigned, intercept above -100); stack.assumptions say so.
progress : None, True or function of (stage, fraction)

Returns
-------
Study

Raises
------
IoError, DicomError, GeometryError, LimitError
    As `read_series` and `read_nifti`.

Examples
--------
>>> with tempfile.TemporaryDirectory() as folder:
...     grid = ichdet.Geometry.aligned(size=(8, 8, 3), spacing_mm=(0.5, 0.5, 5))
...     path = pathlib.Path(folder) / "head.nii.gz"
...     ichdet.write_nifti(path, ichdet.Volume(np.zeros((3, 8, 8), "float32"), grid))
...     study = ichdet.read_study(path)
>>> study.stack
<ichdet.SliceStack (slice, row, column) = (3, 8, 8) float32 HU, every 5.0 mm>
>>> study.source_grid.same_as(grid)
True
)");
  m.def("on_source_grid", &io::on_source_grid, py::arg("labels"), py::arg("study"),
        py::call_guard<py::gil_scoped_release>(),
        R"(Labels found on a study's stack, on the study's own grid, exactly.

Parameters
----------
labels : SliceLabels
    On `study.stack`.
study : Study

Returns
-------
LabelMap
    On the NIfTI file's grid, or the stack's nominal geometry.

Examples
--------
>>> with tempfile.TemporaryDirectory() as folder:
...     grid = ichdet.Geometry.aligned(size=(8, 8, 3), spacing_mm=(0.5, 0.5, 5))
...     path = pathlib.Path(folder) / "head.nii"
...     ichdet.write_nifti(path, ichdet.Volume(np.zeros((3, 8, 8), "float32"), grid))
...     study = ichdet.read_study(path)
>>> dark = ichdet.SliceLabels(study.stack.hu < 10, ["background", "dark"], study.stack.geometry)
>>> ichdet.on_source_grid(dark, study).geometry.same_as(grid)
True
)");
}

}  // namespace ichdet::python
