#include <pybind11/stl/filesystem.h>

#include "ichdet/io/nifti.hpp"
#include "value.hpp"

namespace ichdet::python {

namespace {

void bind_read(py::module_& m) {
  const io::NiftiOptions usual;
  m.def(
      "read_nifti",
      [](const std::filesystem::path& path, std::int64_t max_voxels, std::optional<float> nonfinite_hu) {
        auto found = unlocked([&] { return io::read_nifti(path, {max_voxels, nonfinite_hu}); });
        return std::pair(std::move(found.volume), std::move(found.assumptions));
      },
      py::arg("path"), py::kw_only(), py::arg("max_voxels") = usual.max_voxels, py::arg("nonfinite_hu") = py::none(),
      R"(One volume from a .nii or .nii.gz file.

NIfTI-1 and -2, either byte order, any integer or floating type. The sform is used where its code is above 0, else the
qform, else pixdim alone, as nibabel does; RAS becomes LPS; voxels keep the file's order.

Parameters
----------
path : path
max_voxels : int
    Files that declare more are refused.
nonfinite_hu : float, optional
    Replaces NaN and infinities, which are refused where it is None.

Returns
-------
(Volume, list of str)
    And what had to be assumed, one sentence each.

Raises
------
IoError
    It cannot be read, is truncated, no NIfTI, or anything but one volume of real numbers.
GeometryError
    Its place makes no grid.
LimitError
    Above `max_voxels`.

Examples
--------
>>> with tempfile.TemporaryDirectory() as folder:
...     grid = ichdet.Geometry.aligned(size=(4, 3, 2), spacing_mm=(0.5, 0.5, 5), origin_mm=(-10, -20, 30))
...     volume = ichdet.Volume(np.arange(24, dtype="float32").reshape(grid.shape), grid)
...     ichdet.write_nifti(pathlib.Path(folder) / "head.nii.gz", volume)
...     again, assumptions = ichdet.read_nifti(pathlib.Path(folder) / "head.nii.gz")
>>> again == volume, assumptions
(True, [])
)");
  m.def(
      "read_nifti_labels",
      [](const std::filesystem::path& path, std::int64_t max_voxels) {
        return io::read_nifti_labels(path, {max_voxels});
      },
      py::arg("path"), py::kw_only(), py::arg("max_voxels") = usual.max_voxels,
      py::call_guard<py::gil_scoped_release>(), R"(Labels from a NIfTI file of whole numbers from 0 to 255.

Parameters
----------
path : path
max_voxels : int
    Files that declare more are refused.

Returns
-------
LabelMap
    Named as `write_nifti` wrote them, else "background", "label 1", ...

Raises
------
ShapeError
    Other values.
IoError, GeometryError, LimitError
    As `read_nifti`.

Examples
--------
>>> with tempfile.TemporaryDirectory() as folder:
...     grid = ichdet.Geometry.aligned(size=(4, 3, 2), spacing_mm=(0.5, 0.5, 5))
...     labels = ichdet.LabelMap(np.ones(grid.shape, "uint8"), ["background", "IPH"], grid)
...     ichdet.write_nifti(pathlib.Path(folder) / "labels.nii.gz", labels)
...     ichdet.read_nifti_labels(pathlib.Path(folder) / "labels.nii.gz").names
['background', 'IPH']
)");
}

template <class Image>
auto writer() {
  return
      [](const std::filesystem::path& path, const Image& image, int level) { io::write_nifti(path, image, {level}); };
}

void bind_write(py::module_& m) {
  const int usual = io::NiftiWriteOptions{}.compression_level;
  const char* doc = R"(Write NIfTI-1, compressed where the name ends in .gz.

A Volume becomes int16 where all HU are whole numbers that fit, else float32; a LabelMap uint8, with its names in a
comment extension. The same input gives the same bytes. A sheared grid (tilted gantry) has a sform alone.

Parameters
----------
path : path
    Ends in .nii or .nii.gz.
image : Volume or LabelMap
compression_level : int
    1 to 9, of .gz.

Raises
------
OptionsError
    Another ending.
ShapeError
    Above 32767 voxels along an axis.
IoError
    It cannot be written.

Examples
--------
>>> with tempfile.TemporaryDirectory() as folder:
...     grid = ichdet.Geometry.aligned(size=(4, 3, 2), spacing_mm=(0.5, 0.5, 5))
...     path = pathlib.Path(folder) / "head.nii"
...     ichdet.write_nifti(path, ichdet.Volume(np.full(grid.shape, 40, "float32"), grid))
...     path.stat().st_size  # 352 bytes of header, 24 voxels of int16
400
)";
  m.def("write_nifti", writer<Volume>(), py::arg("path"), py::arg("image"), py::kw_only(),
        py::arg("compression_level") = usual, py::call_guard<py::gil_scoped_release>(), doc);
  m.def("write_nifti", writer<LabelMap>(), py::arg("path"), py::arg("image"), py::kw_only(),
        py::arg("compression_level") = usual, py::call_guard<py::gil_scoped_release>());
  m.def(
      "is_nifti", [](const std::filesystem::path& path) { return io::is_nifti(path); }, py::arg("path"),
      R"(Whether a file's name says that it is NIfTI: it ends in .nii or .nii.gz.

Parameters
----------
path : path

Returns
-------
bool

Examples
--------
>>> ichdet.is_nifti("head.nii.gz"), ichdet.is_nifti("head.dcm")
(True, False)
)");
}

}  // namespace

void bind_nifti(py::module_& m) {
  bind_read(m);
  bind_write(m);
}

}  // namespace ichdet::python
