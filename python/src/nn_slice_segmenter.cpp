#include "ichdet/pipeline/slice_segmenter.hpp"

#include "convert.hpp"
#include "ichdet/pipeline/slice_images.hpp"
#include "options.hpp"
#include "tensor_like.hpp"
#include "tensors.hpp"
#include "watched.hpp"

namespace ichdet::python {
namespace {

template <class Call>
Floats unlocked(const Call& call) {
  at::Tensor values;
  {
    const py::gil_scoped_release released;
    values = call();
  }
  return to_numpy(values);
}

void bind_results(py::module_& m) {
  py::class_<SliceSegmentation>(m, "SliceSegmentation", R"(What a study showed, pixel by pixel of its own slices.

Examples
--------
>>> ichdet.nn.SliceSegmentation.blood.__doc__
'(slice, row, column) float32: the probability of blood.')")
      .def_readonly("detection", &SliceSegmentation::detection, "Result and labels: a Detection.")
      .def_property_readonly(
          "blood", [](const SliceSegmentation& found) { return lend(found.blood); },
          "(slice, row, column) float32: the probability of blood.")
      .def_readonly("weights", &SliceSegmentation::weights,
                    "Of each member on each slice; empty for slices that were not computed.");
  py::class_<SliceReading>(m, "SliceReading", R"(What the networks said about each pixel, before anything is measured.

Examples
--------
>>> ichdet.nn.SliceReading.blood.__doc__
'(slice, row, column) float32: the probability of blood.')")
      .def_readonly("result", &SliceReading::result, "ichdet.StudyResult without findings: bundles, trust, times.")
      .def_property_readonly(
          "blood", [](const SliceReading& reading) { return lend(reading.blood); },
          "(slice, row, column) float32: the probability of blood.")
      .def_readonly("weights", &SliceReading::weights,
                    "Of each member on each slice; empty for slices that were not computed.");
}

constexpr const char* call_text = R"(Segment a study.

Parameters
----------
stack : ichdet.SliceStack
progress : None, True or callable
    True shows a bar of tqdm; a callable is given a stage's name and the fraction done.

Returns
-------
SliceSegmentation)";

}  // namespace

void bind_slice_segmenter(py::module_& m) {
  bind_results(m);
  const SliceSegmenterOptions defaults;
  py::class_<SliceSegmenter>(m, "SliceSegmenter",
                             R"(Segments each slice by 2D networks whose maps are weighted and summed: S3.

Load once, apply to many; calls may run in several threads at once.

Parameters
----------
bundles : str, PathLike, ichdet.Bundle or Member, or a list of them
    The members: slice segmenters' bundles, by name or folder, and networks of your own.
weight_model : str, PathLike or None
    The bundle that weighs their maps anew on each slice; None: `weights`, or equal ones.
weights : list of float
    One for each member, 0 or more, in place of the weight model's; they are scaled to the sum 1.
rule : ichdet.CaseRule or None
    From slices to patient; None: the first bundle's.
threads, precision, engine, skip_empty, batch, skull_strip, device, memory_mib, cache_folder
    As for SliceClassifier.
min_lesion_ml : float
    Smaller pieces are not listed as lesions, mL; their volume still counts.

Raises
------
ichdet.Error
    options: no member, one for another task, or members that differ, or with other than one class of blood; weights:
    weights that do not fit, or are not there.

Examples
--------
>>> spec = {"name": "dense", "task": "slice segmentation",
...         "classes": [{"name": "background", "blood": False}, {"name": "blood", "blood": True}],
...         "input": {"orientation": "LPS", "size": [64, 64], "fit": "resize", "levels": "float",
...                   "channels": [{"clip_hu": [0, 120], "mean": 0, "std": 1}]},
...         "output": {"activation": "softmax"},
...         "decision": {"rule": "maximum", "slice_threshold": 0.5, "case_threshold": 0.5}}
>>> dense = lambda images: torch.cat([0 * images, images - 50], dim=1)
>>> stack = ichdet.phantom(seed=1, rows=64, columns=64, pixel_mm=3.5, slices=4, thickness_mm=30, subsamples=1).stack
>>> found = ichdet.nn.SliceSegmenter(ichdet.nn.Member(dense, spec))(stack)
>>> found.blood.shape, found.weights
((4, 64, 64), [[1.0], [1.0], [1.0], [1.0]]))")
      .def(py::init([](const MembersArgument& members, const std::optional<Path>& weight_model,
                       const std::vector<double>& weights, const std::optional<CaseRule>& rule, int threads,
                       const std::string& precision, const std::string& engine, bool skip_empty, std::int64_t batch,
                       const std::optional<SkullStripper>& skull_strip, double min_lesion_ml, const std::string& device,
                       double memory_mib, const Path& cache_folder) {
             const py::gil_scoped_release released;
             SliceSegmenterOptions options;
             options.network = network_options(threads, precision, engine, device, memory_mib, cache_folder);
             options.skip_empty = skip_empty;
             options.batch = batch;
             options.rule = rule;
             options.weights = weights;
             options.skull_strip = skull_strip;
             options.min_lesion_ml = min_lesion_ml;
             std::optional<Bundle> weigher;
             if (weight_model) weigher = open_bundle(resolve_bundle(weight_model->string()));
             return SliceSegmenter(open_members(members), weigher, options);
           }),
           py::arg("bundles"), py::arg("weight_model") = py::none(), py::kw_only(),
           py::arg("weights") = defaults.weights, py::arg("rule") = py::none(),
           py::arg("threads") = defaults.network.threads, py::arg("precision") = "auto", py::arg("engine") = "auto",
           py::arg("skip_empty") = defaults.skip_empty, py::arg("batch") = defaults.batch,
           py::arg("skull_strip") = py::none(), py::arg("min_lesion_ml") = defaults.min_lesion_ml,
           py::arg("device") = defaults.network.device, py::arg("memory_mib") = defaults.network.memory_mib,
           py::arg("cache_folder") = "")
      .def_property_readonly("spec", &SliceSegmenter::spec, "The first member's: ichdet.ModelSpec.")
      .def_property_readonly("rule", &SliceSegmenter::rule, "From slices to patient: ichdet.CaseRule.")
      .def_property_readonly("classes", &class_names<SliceSegmenter>, "Names of what it tells apart, in its order.")
      .def_property_readonly("blood_name", &SliceSegmenter::blood_name, "Of the one class that is blood.")
      .def_property_readonly("identities", &SliceSegmenter::identities,
                             "The members', the weight model's last: a list of ichdet.BundleIdentity.")
      .def(
          "__call__",
          [](const SliceSegmenter& segmenter, const SliceStack& stack, const ProgressArgument& progress) {
            return watched(progress, [&](const Progress& tell) { return segmenter(stack, tell); });
          },
          py::arg("stack"), py::kw_only(), py::arg("progress") = py::none(), call_text)
      .def(
          "read",
          [](const SliceSegmenter& segmenter, const SliceStack& stack, const ProgressArgument& progress) {
            return watched(progress, [&](const Progress& tell) { return segmenter.read(stack, tell); });
          },
          py::arg("stack"), py::kw_only(), py::arg("progress") = py::none(),
          "A SliceReading: the same before anything is measured.")
      .def(
          "images",
          [](const SliceSegmenter& segmenter, const SliceStack& stack, const std::vector<std::int64_t>& slices) {
            return unlocked([&] { return SliceImages(stack, segmenter.spec())(slices); });
          },
          py::arg("stack"), py::arg("slices"), "What the networks read: (image, channel, row, column), float32.")
      .def(
          "maps",
          [](const SliceSegmenter& segmenter, const TensorLike& images) {
            return unlocked([&] { return segmenter.maps(images.floats()); });
          },
          py::arg("images"),
          "Each member's probability of blood: (image, member, row, column), float32, of images (image, channel, row, "
          "column), NumPy or torch.")
      .def(
          "weights",
          [](const SliceSegmenter& segmenter, const TensorLike& maps) {
            return unlocked([&] { return segmenter.weights(maps.floats()); });
          },
          py::arg("maps"), "The members' weights: (image, member), float32, each row's sum 1, of maps as above.");
}

}  // namespace ichdet::python
