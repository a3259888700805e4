#include <pybind11/stl/filesystem.h>

#include "convert.hpp"
#include "ichdet/io/nifti.hpp"

namespace ichdet::python {

void bind_nifti(py::module_& m) {
  m.def(
      "read_nifti",
      [](const std::filesystem::path& path, std::int64_t max_voxels, std::optional<float> nonfinite_hu) {
        const auto read = [&] {
          const py::gil_scoped_release release;
          return io::read_nifti(path, {max_voxels, nonfinite_hu});
        };
        auto found = read();
        return py::make_tuple(std::move(found.volume), std::move(found.assumptions));
      },
      py::arg("path"), py::arg("max_voxels") = io::NiftiOptions{}.max_voxels, py::arg("nonfinite_hu") = py::none(),
      R"(One volume from a .nii or .nii.gz file.

The sform is used where its code is above 0, else the qform, else pixdim alone, as nibabel does; RAS becomes LPS; voxels
keep the file's order.

Parameters
----------
path : file
max_voxels : files that declare more are refused
nonfinite_hu : replaces NaN and infinities, which are refused where it is None

Returns
-------
(Volume, assumptions) : what had to be assumed, one sentence each

Raises
------
Error : code "io", "geometry" or "limit"; names the file)");
  m.def(
      "read_nifti_labels", [](const std::filesystem::path& path) { return io::read_nifti_labels(path); },
      py::arg("path"), py::call_guard<py::gil_scoped_release>(),
      "A LabelMap from a NIfTI file of whole numbers from 0 to 255.");
  const char* doc = R"(Write NIfTI-1, compressed where the name ends in .gz.

A Volume becomes int16 where all HU are whole numbers that fit, else float32; a LabelMap uint8, with its names in a
comment extension. The same input gives the same bytes. A sheared grid has a sform alone.)";
  m.def(
      "write_nifti",
      [](const std::filesystem::path& path, const Volume& volume, int level) {
        io::write_nifti(path, volume, {level});
      },
      py::arg("path"), py::arg("volume"), py::arg("compression_level") = 6, py::call_guard<py::gil_scoped_release>(),
      doc);
  m.def(
      "write_nifti",
      [](const std::filesystem::path& path, const LabelMap& labels, int level) {
        io::write_nifti(path, labels, {level});
      },
      py::arg("path"), py::arg("labels"), py::arg("compression_level") = 6, py::call_guard<py::gil_scoped_release>(),
      doc);
}

}  // namespace ichdet::python
