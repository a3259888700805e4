#include <pybind11/stl/filesystem.h>

#include "convert.hpp"
#include "ichdet/pipeline/segmenter.hpp"
#include "options.hpp"
#include "watched.hpp"

namespace ichdet::python {

void bind_pipeline(py::module_& m) {
  py::class_<Segmentation>(m, "Segmentation", "What a segmenter found, and how.")
      .def_property_readonly(
          "probabilities", [](const Segmentation& s) { return lend(s.probabilities.values); },
          "(class, z, y, x), float32, on the volume's grid.")
      .def_readonly("inference", &Segmentation::inference, "How the networks were run: ichdet.Inference.")
      .def_readonly("assumptions", &Segmentation::assumptions);

  py::class_<Labelling>(m, "Labelling",
                        "The likeliest class and the probability of blood of each voxel, and how they came.")
      .def_readonly("labels", &Labelling::labels, "ichdet.LabelMap on the volume's grid.")
      .def_property_readonly(
          "blood", [](const Labelling& l) { return lend(l.blood); }, "(z, y, x), float32, in [0, 1].")
      .def_readonly("inference", &Labelling::inference, "How the networks were run: ichdet.Inference.")
      .def_readonly("assumptions", &Labelling::assumptions);

  py::class_<Segmenter>(m, "Segmenter", R"(One segmentation bundle, or an ensemble of them: Volume to probabilities.

Parameters
----------
bundles : list of paths of bundle folders; their probabilities are averaged
threads : int, 0 for LibTorch's own choice
precision : 'auto', 'float32', 'bfloat16' or 'adaptive' (bfloat16, and float32 again wherever it may matter);
    'auto' is adaptive where the CPU has AMX, else float32
engine : 'auto', 'native', 'torch' or 'openvino'
region : 'head', 'brain' or 'everywhere', where blood is looked for; of fixed patches, those that touch it, whole
max_patch_voxels : int, of networks with a step: most voxels that a patch answers; 0 for the bundle's own patch
clear_background : float, adaptive: what bfloat16 finds less likely background than this is computed again
float32_share : float, adaptive, of fixed patches that overlap: of those so far about such a voxel, when a patch shows
    it unclear, the least share computed again; 1 for all)")
      .def(py::init([](const std::vector<std::filesystem::path>& folders, int threads, const std::string& precision,
                       const std::string& engine, const std::string& region, std::int64_t max_patch_voxels,
                       double clear_background, double float32_share) {
             const py::gil_scoped_release unlocked;
             auto options = segmenter_options(threads, precision, engine, region);
             options.max_patch_voxels = max_patch_voxels;
             options.clear_background = clear_background;
             options.float32_share = float32_share;
             return Segmenter(open_bundles(folders), options);
           }),
           py::arg("bundles"), py::kw_only(), py::arg("threads") = 0, py::arg("precision") = "auto",
           py::arg("engine") = "auto", py::arg("region") = "head",
           py::arg("max_patch_voxels") = SegmenterOptions{}.max_patch_voxels,
           py::arg("clear_background") = SegmenterOptions{}.clear_background,
           py::arg("float32_share") = SegmenterOptions{}.float32_share)
      .def(
          "__call__",
          [](const Segmenter& segmenter, const Volume& volume, const ProgressArgument& progress) {
            return watched(progress, [&](const Progress& tell) { return segmenter(volume, tell); });
          },
          py::arg("volume"), py::kw_only(), py::arg("progress") = py::none(),
          "A Segmentation of the volume, which has the bundle's spacing and runs along L, P, S.")
      .def(
          "label",
          [](const Segmenter& segmenter, const Volume& volume, const ProgressArgument& progress) {
            return watched(progress, [&](const Progress& tell) { return segmenter.label(volume, tell); });
          },
          py::arg("volume"), py::kw_only(), py::arg("progress") = py::none(),
          "A Labelling of the volume: the same without the classes' probabilities, in a fraction of the memory.")
      .def_property_readonly("classes", [](const Segmenter& segmenter) {
        std::vector<std::string> names;
        for (const auto& c : segmenter.spec().classes) names.push_back(c.name);
        return names;
      });
}

}  // namespace ichdet::python
