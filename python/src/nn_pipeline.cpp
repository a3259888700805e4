#include "convert.hpp"
#include "ichdet/pipeline/segmenter.hpp"
#include "options.hpp"
#include "watched.hpp"

namespace ichdet::python {

void bind_member(py::module_& m);
void bind_skull_strip(py::module_& m);
void bind_slice_images(py::module_& m);
void bind_make_bundle(py::module_& m);

namespace {

void bind_results(py::module_& m) {
  py::class_<Segmentation>(m, "Segmentation", R"(What a segmenter found, and how.

Examples
--------
>>> ichdet.nn.Segmentation.probabilities.__doc__
"The classes' on the volume's grid: (class, z, y, x), float32.")")
      .def_property_readonly(
          "probabilities", [](const Segmentation& s) { return lend(s.probabilities.values); },
          "The classes' on the volume's grid: (class, z, y, x), float32.")
      .def_property_readonly(
          "classes", [](const Segmentation& s) { return s.probabilities.classes; }, "Their names.")
      .def_property_readonly(
          "geometry", [](const Segmentation& s) { return s.probabilities.geometry; }, "The grid: ichdet.Geometry.")
      .def_readonly("inference", &Segmentation::inference, "How the networks were run: ichdet.Inference.")
      .def_readonly("assumptions", &Segmentation::assumptions, "A list of sentences.");

  py::class_<Labelling>(m, "Labelling", R"(The likeliest class and the probability of blood of each voxel, and how they came.

Examples
--------
>>> ichdet.nn.Labelling.blood.__doc__
'Probability of all classes that are blood: (z, y, x), float32 in [0, 1].')")
      .def_readonly("labels", &Labelling::labels, "ichdet.LabelMap on the volume's grid.")
      .def_property_readonly(
          "blood", [](const Labelling& l) { return lend(l.blood); },
          "Probability of all classes that are blood: (z, y, x), float32 in [0, 1].")
      .def_readonly("inference", &Labelling::inference, "How the networks were run: ichdet.Inference.")
      .def_readonly("assumptions", &Labelling::assumptions, "A list of sentences.");
}

void bind_segmenter(py::module_& m) {
  const SegmenterOptions defaults;
  py::class_<Segmenter>(m, "Segmenter", R"(Segmentation networks over a volume: one, or several whose answers are averaged.

Load once, apply to many; calls may run in several threads at once. docs/segmentation.md says what is done.

Parameters
----------
bundles : str, PathLike, ichdet.Bundle or Member, or a list of them
    Segmentation bundles by name (`ichdet models list`) or folder, and networks of your own, which run in their own
    precision. They must read and answer the same.
threads : int
    Of the computation; 0: LibTorch's own choice.
precision : 'auto', 'float32', 'bfloat16' or 'adaptive'
    adaptive: bfloat16, and float32 again wherever it may matter; auto is adaptive where the CPU has AMX, else float32.
engine : 'auto', 'native', 'torch' or 'openvino'
region : 'head', 'brain' or 'everywhere'
    Where blood is looked for; of fixed patches, those that touch it, whole.
max_patch_voxels : int
    Of networks with a step: most voxels that a patch answers; 0: the bundle's own patch.
clear_background : float
    adaptive: what bfloat16 finds less likely background than this is computed again.
float32_share : float
    adaptive, of fixed patches that overlap: of those so far about such a voxel, when a patch shows it unclear, the
    least share computed again; 1: all.
device : 'cpu', or 'cuda', 'cuda:1', ... where LibTorch has it
memory_mib : float
    A call whose activations would need more is refused, patches are made to fit; 0: no ceiling.
cache_folder : str or PathLike
    Where an engine may keep compiled networks; empty: nowhere.

Raises
------
ichdet.Error
    weights: a bundle that cannot be loaded; options: none, or members that differ.

Examples
--------
>>> dense = lambda hu: torch.cat([0.5 - hu, hu - 0.5], dim=1) * 40
>>> segmenter = ichdet.nn.Segmenter(ichdet.nn.Member(dense, "brain"), region="everywhere")
>>> stack = ichdet.phantom(seed=1, rows=64, columns=64, pixel_mm=3.5, slices=24, thickness_mm=6, subsamples=1).stack
>>> volume = ichdet.resample_to(stack, ichdet.segmentation_grid(stack.geometry, [2, 2, 2]))
>>> found = segmenter(volume)
>>> found.classes, found.probabilities.shape == (2, *volume.hu.shape), found.inference.patches > 0
(['background', 'brain'], True, True))")
      .def(py::init([](const MembersArgument& members, int threads, const std::string& precision,
                       const std::string& engine, const std::string& region, std::int64_t max_patch_voxels,
                       double clear_background, double float32_share, const std::string& device, double memory_mib,
                       const Path& cache_folder) {
             const py::gil_scoped_release unlocked;
             auto options = segmenter_options(threads, precision, engine, region);
             options.network = network_options(threads, precision, engine, device, memory_mib, cache_folder);
             options.max_patch_voxels = max_patch_voxels;
             options.clear_background = clear_background;
             options.float32_share = float32_share;
             return Segmenter(open_members(members), options);
           }),
           py::arg("bundles"), py::kw_only(), py::arg("threads") = defaults.network.threads,
           py::arg("precision") = "auto", py::arg("engine") = "auto", py::arg("region") = "head",
           py::arg("max_patch_voxels") = defaults.max_patch_voxels,
           py::arg("clear_background") = defaults.clear_background, py::arg("float32_share") = defaults.float32_share,
           py::arg("device") = defaults.network.device, py::arg("memory_mib") = defaults.network.memory_mib,
           py::arg("cache_folder") = "")
      .def(
          "__call__",
          [](const Segmenter& segmenter, const Volume& volume, const ProgressArgument& progress) {
            return watched(progress, [&](const Progress& tell) { return segmenter(volume, tell); });
          },
          py::arg("volume"), py::kw_only(), py::arg("progress") = py::none(),
          R"(The classes' probabilities on a volume.

Parameters
----------
volume : ichdet.Volume
    On a grid of the bundle's spacing, along L, P, S, as ichdet.segmentation_grid makes it.
progress : None, True or callable
    True shows a bar of tqdm; a callable is given a stage's name and the fraction done.

Returns
-------
Segmentation

Raises
------
ichdet.Error
    geometry: another grid; limit: no patch fits memory_mib; shape: a Member answered another size than it should.)")
      .def(
          "label",
          [](const Segmenter& segmenter, const Volume& volume, const ProgressArgument& progress) {
            return watched(progress, [&](const Progress& tell) { return segmenter.label(volume, tell); });
          },
          py::arg("volume"), py::kw_only(), py::arg("progress") = py::none(),
          "A Labelling of the volume: the same without the classes' probabilities, in a fraction of the memory.")
      .def_property_readonly("spec", &Segmenter::spec, "The first member's: ichdet.ModelSpec.")
      .def_property_readonly("classes", &class_names<Segmenter>, "Names of what it tells apart, background first.")
      .def_property_readonly("identities", &Segmenter::identities, "The members': a list of ichdet.BundleIdentity.")
      .def_property_readonly(
          "spacing_mm", [](const Segmenter& segmenter) { return segmenter.spec().spacing_mm; },
          "Of the grid that it reads: x, y, z, mm.");
}

}  // namespace

void bind_pipeline(py::module_& m) {
  bind_member(m);
  bind_make_bundle(m);
  bind_results(m);
  bind_segmenter(m);
  bind_skull_strip(m);
  bind_slice_images(m);
}

}  // namespace ichdet::python
