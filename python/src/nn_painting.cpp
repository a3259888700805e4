#include <pybind11/eigen.h>
#include <pybind11/stl.h>

#include "convert.hpp"
#include "fields.hpp"
#include "ichdet/train/distractors.hpp"
#include "ichdet/train/paint_study.hpp"
#include "ichdet/train/synthesis.hpp"
#include "json.hpp"

namespace ichdet::python {

using namespace train;

namespace {

using Mask = py::array_t<std::uint8_t, py::array::c_style | py::array::forcecast>;
using MaybeMask = std::optional<Mask>;
using S = SynthesisOptions;
using D = DistractorOptions;

Array3<std::uint8_t> mask_or_zeros(const MaybeMask& mask, const SliceStack& stack) {
  return mask ? borrow<std::uint8_t, 3>(*mask) : Array3<std::uint8_t>(stack.hu.shape());
}

SliceStack copy_of(const SliceStack& stack) {
  auto copy = stack;
  copy.hu = stack.hu.clone();
  return copy;
}

void bind_options(py::module_& m) {
  py::class_<S> synthesis(m, "SynthesisOptions", R"(Settings of `synthesise`. Types are in the order of
intraparenchymal, intraventricular, subdural, epidural, subarachnoid.

Examples
--------
>>> ichdet.train.SynthesisOptions(type_weights=(1, 0, 0, 0, 0)).further_type
0.3)");
  define_fields(synthesis,
                Field{"type_weights", &S::type_weights,
                      "How often a slab's main hemorrhage is of each type; relative."},
                Field{"further_type", &S::further_type, "Chance of a second type; of a third after that, the same."},
                Field{"labels", &S::labels, "Mask value of each type."},
                Field{"oedema_label", &S::oedema_label, "Mask value of the dark rim around intraparenchymal blood."},
                Field{"least_area_mm2", &S::least_area_mm2,
                      "A lesion that shows less than this in each slice is not painted at all."});
  synthesis.def_static(
      "from_dict", [](const JsonDict& values) { return synthesis_options(from_python(values), "SynthesisOptions"); },
      py::arg("values"), "As a recipe has them, checked: {\"subdural\": 2, \"least_area_mm2\": 20}.");
  py::class_<D> distractors(m, "DistractorOptions", R"(Settings of `distract`: the chance of each thing, 0 to 1.

Examples
--------
>>> ichdet.train.DistractorOptions(falx=1).falx
1.0)");
  define_fields(
      distractors, Field{"pineal", &D::pineal, "Calcified pineal gland."},
      Field{"choroid_plexus", &D::choroid_plexus, "Calcified, in both atria."},
      Field{"basal_ganglia", &D::basal_ganglia, "Calcified, often faintly, on both sides."},
      Field{"falx", &D::falx, "Dense all along, or calcified or ossified in stretches."},
      Field{"tentorium", &D::tentorium, "Dense, on both sides."}, Field{"sinuses", &D::sinuses, "Dense venous sinuses."},
      Field{"arteries", &D::arteries, "Dense vessels at the base."},
      Field{"inner_table", &D::inner_table, "Skull grown thick inwards, hyperostosis."},
      Field{"bone_partial", &D::bone_partial, "Bone in part of the slice: vertex, skull base."},
      Field{"bands", &D::bands, "Dark and bright across the skull base."}, Field{"streaks", &D::streaks, "From metal."},
      Field{"motion", &D::motion, "Doubled edges."},
      Field{"bright_rim", &D::bright_rim, "Brain beside the skull raised by beam hardening."},
      Field{"bright_side", &D::bright_side, "One side, front or back raised."},
      Field{"bright_cortex", &D::bright_cortex, "Cortex slightly dense, as with contrast."},
      Field{"nodules", &D::nodules, "Calcified scars; masses with a slightly dense rim."},
      Field{"infarct", &D::infarct, "Old or fresh: dark."},
      Field{"hygroma", &D::hygroma, "Dark fluid between brain and skull."},
      Field{"scalp", &D::scalp, "Swollen, with blood in it."});
  distractors.def_static(
      "from_dict", [](const JsonDict& values) { return distractor_options(from_python(values), "DistractorOptions"); },
      py::arg("values"), "As a recipe has them, checked.");
}

void bind_paint_study(py::module_& m) {
  py::class_<PaintedStudy>(m, "PaintedStudy", R"(A scan that hemorrhages were painted into. From `paint_study`.

Examples
--------
>>> stack = ichdet.phantom(seed=1, rows=64, columns=64, pixel_mm=3.6, slices=6, thickness_mm=20).stack
>>> ichdet.train.paint_study(stack, seed=4).truth.labels.shape
(6, 64, 64))")
      .def_readonly("stack", &PaintedStudy::stack, "The scan, painted.")
      .def_readonly("truth", &PaintedStudy::truth, "SliceLabels: each hemorrhage's type, or 6 where blood hardly stands out.")
      .def_readonly("painted", &PaintedStudy::painted, "Of the hemorrhages that were asked for.");
  const PaintOptions usual;
  m.def(
      "paint_study",
      [](const SliceStack& stack, int hemorrhages, bool distracted, double extent_mm, const S& synthesis,
         const D& distractors, std::uint64_t seed, int threads) {
        const py::gil_scoped_release unlocked;
        return paint_study(stack, {synthesis, distractors, hemorrhages, distracted, extent_mm, seed, threads});
      },
      py::arg("stack"), py::kw_only(), py::arg("hemorrhages") = usual.hemorrhages,
      py::arg("distracted") = usual.distracted, py::arg("extent_mm") = usual.extent_mm,
      py::arg_v("synthesis", usual.synthesis, "SynthesisOptions()"),
      py::arg_v("distractors", usual.distractors, "DistractorOptions()"), py::arg("seed") = usual.seed,
      py::arg("threads") = usual.threads, R"(Paints hemorrhages into a whole scan, as training does into slabs of one.

A test of known answer on the scans of one's own scanner. What the scan shows of blood is not known to the truth.

Parameters
----------
stack : ichdet.SliceStack
    Not written to.
hemorrhages : int
    How many places are painted; each may get further types.
distracted : bool
    Whether what is bright and not blood is painted beside them.
extent_mm : float
    Of each place along the slices: 1 to 7 slices.
synthesis : SynthesisOptions
    Its labels are not used: a truth's value is its type, 1 to 5.
distractors : DistractorOptions
seed : int
threads : int
    0: as many as the machine has.

Returns
-------
PaintedStudy

Raises
------
ichdet.Error
    geometry: no cranial cavity is found.

Examples
--------
>>> stack = ichdet.phantom(seed=1, rows=64, columns=64, pixel_mm=3.6, slices=6, thickness_mm=20).stack
>>> painted = ichdet.train.paint_study(stack, seed=4)
>>> painted.painted, bool(painted.truth.labels.any())
(1, True))");
}

}  // namespace

void bind_painting(py::module_& m) {
  bind_options(m);
  py::class_<Synthesised>(m, "Synthesised", R"(What `synthesise` painted.

Examples
--------
>>> study = ichdet.phantom(seed=1, rows=64, columns=64, pixel_mm=3.6, slices=5, thickness_mm=5)
>>> painted = ichdet.train.synthesise(study.stack, study.anatomy, seed=3)[2]
>>> painted.any(), painted.pixels.shape
(True, (5, 5)))")
      .def_property_readonly(
          "pixels",
          [](const Synthesised& painted) {
            py::array_t<std::int64_t> pixels({py::ssize_t(painted.pixels.size()), py::ssize_t(5)});
            auto* to = pixels.mutable_data();
            for (const auto& slice : painted.pixels) to = std::copy(slice.begin(), slice.end(), to);
            return pixels;
          },
          "Labelled pixels (slice, type), in the order of intraparenchymal, intraventricular, subdural, epidural, "
          "subarachnoid.")
      .def("any", &Synthesised::any, "Whether anything was painted.")
      .def(
          "shows",
          [](const Synthesised& painted, const std::string& type) { return painted.shows(hemorrhage_type(type)); },
          py::arg("type"), "Whether a type shows in any slice, such as 'subdural'.");
  m.def(
      "synthesise",
      [](const SliceStack& stack, const HeadAnatomy& anatomy, const MaybeMask& mask, const S& options,
         std::uint64_t seed) {
        auto slab = copy_of(stack);
        auto labels = mask_or_zeros(mask, stack).clone();
        Synthesised painted;
        {
          const py::gil_scoped_release unlocked;
          painted = synthesise(slab, labels, anatomy, options, seed);
        }
        return std::tuple(std::move(slab), lend(labels), std::move(painted));
      },
      py::arg("stack"), py::arg("anatomy"), py::kw_only(), py::arg("mask") = py::none(),
      py::arg_v("options", S(), "SynthesisOptions()"), py::arg("seed") = 0,
      R"(Paints hemorrhages of random types, sizes, ages and places into a slab of 1 to 7 or so slices.

Works on full-range scans and on those clipped to 0 to 80 HU or the like, which stay clipped. A pixel is labelled where
at least half of it is blood that stands out from what was there; it becomes 255 (not known) where blood is there but
hardly stands out. Where a type finds no room, another is drawn. A pure function of its arguments.

Parameters
----------
stack : ichdet.SliceStack
    Not written to.
anatomy : ichdet.HeadAnatomy
    Of its slices: a phantom's, or `ichdet.anatomy_from_scan`.
mask : numpy.ndarray, (slice, row, column), uint8, or None
    What is marked already, and stays elsewhere; None: nothing.
options : SynthesisOptions
seed : int

Returns
-------
(ichdet.SliceStack, numpy.ndarray, Synthesised)
    The painted slab, its mask (slice, row, column), uint8, and what was painted.

Raises
------
ichdet.Error
    shape: the arrays' shapes differ.

Examples
--------
>>> study = ichdet.phantom(seed=1, rows=64, columns=64, pixel_mm=3.6, slices=5, thickness_mm=5)
>>> subdural = ichdet.train.SynthesisOptions(type_weights=(0, 0, 1, 0, 0), further_type=0)
>>> stack, mask, painted = ichdet.train.synthesise(study.stack, study.anatomy, options=subdural, seed=3)
>>> painted.shows("subdural"), bool(np.any(stack.hu[mask == 1] > study.stack.hu[mask == 1]))
(True, True))");
  m.def(
      "distract",
      [](const SliceStack& stack, const HeadAnatomy& anatomy, const MaybeMask& keep, const D& options,
         std::uint64_t seed) {
        auto slab = copy_of(stack);
        const auto kept = keep ? borrow<std::uint8_t, 3>(*keep) : Array3<std::uint8_t>();
        const py::gil_scoped_release unlocked;
        distract(slab, anatomy, kept, options, seed);
        return slab;
      },
      py::arg("stack"), py::arg("anatomy"), py::kw_only(), py::arg("keep") = py::none(),
      py::arg_v("options", D(), "DistractorOptions()"), py::arg("seed") = 0,
      R"(Paints into a slab what is bright, or dark, and is not blood: calcifications, thick bone, artefacts, infarcts.

Draws for itself which; a pure function of its arguments.

Parameters
----------
stack : ichdet.SliceStack
    Not written to.
anatomy : ichdet.HeadAnatomy
    Of its slices.
keep : numpy.ndarray, (slice, row, column), uint8, or None
    Not 0 where pixels keep their value, streaks and shadings excepted.
options : DistractorOptions
seed : int

Returns
-------
ichdet.SliceStack

Raises
------
ichdet.Error
    shape: the arrays' shapes differ.

Examples
--------
>>> study = ichdet.phantom(seed=1, rows=64, columns=64, pixel_mm=3.6, slices=5, thickness_mm=5)
>>> painted = ichdet.train.distract(study.stack, study.anatomy, options=ichdet.train.DistractorOptions(scalp=1), seed=2)
>>> bool(np.any(painted.hu != study.stack.hu))
True)");
  bind_paint_study(m);
}

}  // namespace ichdet::python
