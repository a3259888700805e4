#include <pybind11/stl/filesystem.h>

#include "convert.hpp"
#include "ichdet/io/study.hpp"

namespace ichdet::python {

void bind_study(py::module_& m) {
  py::class_<io::Study>(m, "Study", "One study: its stack, and the grid of the NIfTI file it came from, if any.")
      .def_readonly("stack", &io::Study::stack)
      .def_readonly("source_grid", &io::Study::source_grid);
  m.def(
      "read_study",
      [](const std::filesystem::path& path, std::string series_uid, bool allow_gaps, double slice_thickness_mm,
         bool repair_wrapped_12bit) {
        const py::gil_scoped_release unlocked;
        return io::read_study(path, {std::move(series_uid), allow_gaps, slice_thickness_mm, repair_wrapped_12bit});
      },
      py::arg("path"), py::kw_only(), py::arg("series_uid") = "", py::arg("allow_gaps") = false,
      py::arg("slice_thickness_mm") = 0.0, py::arg("repair_wrapped_12bit") = true,
      R"(Read a DICOM folder, one DICOM file or a NIfTI file.

series_uid : DICOM: this series; empty: the head series, by choose_head_series' rules
allow_gaps : DICOM: read a series even where a slice seems to be missing
slice_thickness_mm : of a single slice; 0: from the file, else 5 mm, said in stack.assumptions
repair_wrapped_12bit : DICOM: mend RSNA's wrapped slices (BitsStored 12, unsigned, intercept above -100);
    stack.assumptions say so)");
}

}  // namespace ichdet::python
