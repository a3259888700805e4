#include "ichdet/pipeline/skull_strip.hpp"

#include "convert.hpp"
#include "ichdet/pipeline/write_strip.hpp"
#include "options.hpp"
#include "study_argument.hpp"
#include "watched.hpp"

namespace ichdet::python {
namespace {

SkullStripper stripper(const std::string& engine, const std::optional<Path>& bundle, int threads, double low_hu,
                       double high_hu, double bone_hu, double skull_gap_mm, double smooth_mm, double erode_mm) {
  const py::gil_scoped_release unlocked;
  SkullStripOptions options;
  options.engine = parse_strip_engine(engine);
  if (bundle) options.bundle = open_bundle(resolve_bundle(bundle->string()));
  options.threads = threads;
  options.classical = {low_hu, high_hu, bone_hu, skull_gap_mm, smooth_mm, erode_mm, threads};
  return SkullStripper(options);
}

void bind_mask(py::module_& m) {
  py::class_<BrainMask>(m, "BrainMask", R"(Where the brain is, and how that was found.

Examples
--------
>>> stack = ichdet.phantom(seed=1, rows=64, columns=64, pixel_mm=3.5, slices=24, thickness_mm=6, subsamples=1).stack
>>> volume = ichdet.resample_to(stack, ichdet.segmentation_grid(stack.geometry, [4, 4, 4]))
>>> found = ichdet.nn.skull_strip(volume)
>>> found.engine, bool(0.1 < found.mask.mean() < 0.9), found.bundles
('classical', True, []))")
      .def_property_readonly(
          "mask", [](const BrainMask& found) { return lend(found.mask); },
          "1 in the brain: (z, y, x), uint8, on the volume's grid.")
      .def_readonly("engine", &BrainMask::engine, "'classical', 'unet3d' or 'mindgrab'.")
      .def_readonly("bundles", &BrainMask::bundles, "Whose network it was: a list of ichdet.BundleIdentity.")
      .def_readonly("assumptions", &BrainMask::assumptions, "A list of sentences.");
}

void bind_stripper(py::module_& m) {
  const BrainMaskOptions defaults;
  py::class_<SkullStripper>(m, "SkullStripper", R"(Finds the brain on a head CT. Load once, apply to many.

Parameters
----------
engine : 'classical', 'unet3d' or 'mindgrab'
    Thresholds and morphology, as Muschelli et al., NeuroImage 114 (2015), with morphology in place of BET; a
    segmentation bundle with a class "brain"; MindGrab, and around it what brainchop does.
bundle : str, PathLike or None
    The engine's, by name or folder; unet3d has one that came with ichdet.
threads : int
    0 for as many as the machine has.
low_hu, high_hu : float
    classical: what may be brain, blood or fluid, HU.
bone_hu : float
    classical, HU.
skull_gap_mm : float
    classical: gaps of the skull up to twice this are bridged.
smooth_mm : float
    classical: sigma of the Gaussian.
erode_mm : float
    classical: bridges to other tissue up to twice this wide are cut.

Raises
------
ichdet.Error
    options: the engine needs a bundle, or another one; weights: it cannot be loaded.

Notes
-----
docs/skull_strip.md lists every step, and what differs from brainchop.

Examples
--------
>>> stack = ichdet.phantom(seed=1, rows=64, columns=64, pixel_mm=3.5, slices=24, thickness_mm=6, subsamples=1).stack
>>> volume = ichdet.resample_to(stack, ichdet.segmentation_grid(stack.geometry, [4, 4, 4]))
>>> strip = ichdet.nn.SkullStripper(skull_gap_mm=12)
>>> strip(volume).mask.dtype
dtype('uint8'))")
      .def(py::init(&stripper), py::arg("engine") = "classical", py::arg("bundle") = py::none(), py::kw_only(),
           py::arg("threads") = SkullStripOptions{}.threads, py::arg("low_hu") = defaults.low_hu,
           py::arg("high_hu") = defaults.high_hu, py::arg("bone_hu") = defaults.bone_hu,
           py::arg("skull_gap_mm") = defaults.skull_gap_mm, py::arg("smooth_mm") = defaults.smooth_mm,
           py::arg("erode_mm") = defaults.erode_mm)
      .def(
          "__call__",
          [](const SkullStripper& strip, const Volume& volume, const ProgressArgument& progress) {
            return watched(progress, [&](const Progress& tell) { return strip(volume, tell); });
          },
          py::arg("volume"), py::kw_only(), py::arg("progress") = py::none(),
          "The BrainMask of an ichdet.Volume of any direction and spacing; progress: None, True or callable.");
  m.def(
      "skull_strip",
      [](const Volume& volume, const std::string& engine, const std::optional<Path>& bundle, int threads, double low_hu,
         double high_hu, double bone_hu, double skull_gap_mm, double smooth_mm, double erode_mm,
         const ProgressArgument& progress) {
        const auto strip = stripper(engine, bundle, threads, low_hu, high_hu, bone_hu, skull_gap_mm, smooth_mm, erode_mm);
        return watched(progress, [&](const Progress& tell) { return strip(volume, tell); });
      },
      py::arg("volume"), py::kw_only(), py::arg("engine") = "classical", py::arg("bundle") = py::none(),
      py::arg("threads") = SkullStripOptions{}.threads, py::arg("low_hu") = defaults.low_hu,
      py::arg("high_hu") = defaults.high_hu, py::arg("bone_hu") = defaults.bone_hu,
      py::arg("skull_gap_mm") = defaults.skull_gap_mm, py::arg("smooth_mm") = defaults.smooth_mm,
      py::arg("erode_mm") = defaults.erode_mm, py::arg("progress") = py::none(),
      R"(The brain on a head CT.

Parameters
----------
volume : ichdet.Volume
    Of any direction and spacing.
engine, bundle, threads, low_hu, high_hu, bone_hu, skull_gap_mm, smooth_mm, erode_mm
    As for SkullStripper, which is to be preferred for several volumes.
progress : None, True or callable
    True shows a bar of tqdm; a callable is given a stage's name and the fraction done.

Returns
-------
BrainMask

Raises
------
ichdet.Error
    As SkullStripper.

Examples
--------
>>> stack = ichdet.phantom(seed=1, rows=64, columns=64, pixel_mm=3.5, slices=24, thickness_mm=6, subsamples=1).stack
>>> volume = ichdet.resample_to(stack, ichdet.segmentation_grid(stack.geometry, [4, 4, 4]))
>>> brain = ichdet.nn.skull_strip(volume).mask
>>> round(float(volume.hu[brain == 1].mean()) / 10) * 10  # HU
30)");
}

void bind_stack(py::module_& m) {
  py::class_<StrippedStack>(m, "StrippedStack", R"(The brain on a stack's own slices.

Examples
--------
>>> ichdet.nn.StrippedStack.volume_ml.__doc__
'Of the mask on the 1 mm grid, mL.')")
      .def_readonly("brain", &StrippedStack::brain, "1: \"brain\": ichdet.SliceLabels.")
      .def_readonly("volume_ml", &StrippedStack::volume_ml, "Of the mask on the 1 mm grid, mL.")
      .def_readonly("found", &StrippedStack::found, "BrainMask on the 1 mm grid.");
  m.def(
      "strip_stack",
      [](const SliceStack& stack, const SkullStripper& strip, int threads, const ProgressArgument& progress) {
        return watched(progress, [&](const Progress& tell) { return strip_stack(stack, strip, threads, tell); });
      },
      py::arg("stack"), py::arg("stripper"), py::kw_only(), py::arg("threads") = 0, py::arg("progress") = py::none(),
      R"(The brain on a stack's own slices: stripped on voxels of 1 mm, brought back by nearest neighbour.

Parameters
----------
stack : ichdet.SliceStack
stripper : SkullStripper
threads : int
    Of resampling; 0 for as many as the machine has.
progress : None, True or callable
    True shows a bar of tqdm; a callable is given a stage's name and the fraction done.

Returns
-------
StrippedStack

Examples
--------
>>> stack = ichdet.phantom(seed=1, rows=48, columns=48, pixel_mm=4.5, slices=8, thickness_mm=6, subsamples=1).stack
>>> stripped = ichdet.nn.strip_stack(stack, ichdet.nn.SkullStripper())
>>> stripped.brain.labels.shape, stripped.brain.names[1], stripped.volume_ml > 100
((8, 48, 48), 'brain', True))");
  m.def(
      "write_strip",
      [](const StrippedStack& stripped, const StudyArgument& study, const Path& folder) {
        const auto written = study_of(study);
        const py::gil_scoped_release unlocked;
        write_strip(stripped, written, folder);
      },
      py::arg("stripped"), py::arg("study"), py::arg("folder"),
      R"(Write brain_mask.nii.gz, brain.nii.gz (HU, -1024 outside the brain) and sheet.png into a folder.

Parameters
----------
stripped : StrippedStack
study : ichdet.Study or ichdet.SliceStack
    That it is of; on its own grid.
folder : str or PathLike
    Made where it is missing.

Raises
------
ichdet.Error
    io: a file cannot be written.

Examples
--------
>>> stack = ichdet.phantom(seed=1, rows=48, columns=48, pixel_mm=4.5, slices=8, thickness_mm=6, subsamples=1).stack
>>> stripped = ichdet.nn.strip_stack(stack, ichdet.nn.SkullStripper())
>>> import os
>>> with tempfile.TemporaryDirectory() as folder:
...     ichdet.nn.write_strip(stripped, stack, folder)
...     sorted(os.listdir(folder))
['brain.nii.gz', 'brain_mask.nii.gz', 'sheet.png'])");
}

}  // namespace

void bind_skull_strip(py::module_& m) {
  bind_mask(m);
  bind_stripper(m);
  bind_stack(m);
}

}  // namespace ichdet::python
