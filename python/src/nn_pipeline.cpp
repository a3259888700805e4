#include <pybind11/stl/filesystem.h>

#include "convert.hpp"
#include "ichdet/pipeline/segmenter.hpp"

namespace ichdet::python {

void bind_pipeline(py::module_& m) {
  py::class_<Segmenter>(m, "Segmenter", R"(One segmentation bundle, or an ensemble of them: Volume to probabilities.

Parameters
----------
bundles : list of paths of bundle folders; their probabilities are averaged
threads : int, 0 for LibTorch's own choice
precision : 'float32'
max_patch_voxels : int, most voxels that a patch answers; 0 for the bundle's own patch)")
      .def(py::init([](const std::vector<std::filesystem::path>& folders, int threads, const std::string& precision,
                       std::int64_t max_patch_voxels) {
             std::vector<Bundle> bundles;
             for (const auto& folder : folders) bundles.push_back(open_bundle(folder));
             return Segmenter(bundles, {{parse_precision(precision), threads}, max_patch_voxels});
           }),
           py::arg("bundles"), py::arg("threads") = 0, py::arg("precision") = "float32",
           py::arg("max_patch_voxels") = SegmenterOptions{}.max_patch_voxels)
      .def(
          "__call__",
          [](const Segmenter& segmenter, const Volume& volume) {
            auto map = [&] {
              const py::gil_scoped_release unlocked;
              return segmenter(volume);
            }();
            return lend(map.values);
          },
          py::arg("volume"),
          "Probabilities (class, z, y, x), float32, on the volume's grid (the bundle's spacing, L P S).")
      .def_property_readonly("classes", [](const Segmenter& segmenter) {
        std::vector<std::string> names;
        for (const auto& c : segmenter.spec().classes) names.push_back(c.name);
        return names;
      });
  m.def(
      "head_box",
      [](const Volume& volume, double above_hu) {
        const auto box = head_box(volume, above_hu);
        return py::make_tuple(box.begin, box.size);
      },
      py::arg("volume"), py::arg("above_hu"), "(begin, size), z y x, of the largest piece denser than `above_hu`.");
}

}  // namespace ichdet::python
