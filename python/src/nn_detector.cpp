#include "ichdet/pipeline/detector.hpp"

#include <algorithm>

#include "convert.hpp"
#include "ichdet/pipeline/write_detection.hpp"
#include "ichdet/report/summary.hpp"
#include "options.hpp"
#include "study_argument.hpp"
#include "watched.hpp"

namespace ichdet::python {
namespace {

py::array_t<double> evidence_of(const Detection& found) {
  py::array_t<double> values({py::ssize_t(found.evidence.size()), py::ssize_t(3)});
  for (std::size_t k = 0; k < found.evidence.size(); ++k) {
    std::ranges::copy(found.evidence[k].values(), values.mutable_data(py::ssize_t(k), 0));
  }
  return values;
}

StudyResult write(const Detection& found, const StudyArgument& given, const Path& folder,
                  const ProgressArgument& progress) {
  const auto study = study_of(given);
  return watched(progress, [&](const Progress& tell) { return write_detection(found, study, folder, tell); });
}

void bind_detection(py::module_& m) {
  py::class_<Detection>(m, "Detection", R"(What a study showed: the findings, and where they are.

Examples
--------
>>> stack = ichdet.phantom(seed=1, rows=64, columns=64, pixel_mm=3.5, slices=4, thickness_mm=30, subsamples=1).stack
>>> found = ichdet.nn.open_detector()(stack)
>>> type(found.result).__name__, found.labels.labels.shape
('StudyResult', (4, 64, 64)))")
      .def_readonly("result", &Detection::result, "What was found: ichdet.StudyResult.")
      .def_readonly("labels", &Detection::labels, "ichdet.SliceLabels on the stack's own slices.")
      .def_readonly("grid_labels", &Detection::grid_labels,
                    "ichdet.LabelMap on the grid that the segmenter read, or, of slices alone, on their nominal one.")
      .def_property_readonly("evidence", &evidence_of,
                             "Of an ensemble, what its members said about each slice, from which a slice rule is "
                             "fitted: (slice, 3), float64: map, area and classifier; else (0, 3).")
      .def("__str__", [](const Detection& found) { return summary(found.result); })
      .def("__repr__", [](const Detection& found) { return "<ichdet.nn.Detection " + finding(found.result) + ">"; })
      .def("write", &write, py::arg("study"), py::arg("folder"), py::kw_only(), py::arg("progress") = py::none(),
           "Write labels.nii.gz, slices/, sheet.png and result.json into a folder, as write_detection does.");
  m.def("write_detection", &write, py::arg("detection"), py::arg("study"), py::arg("folder"), py::kw_only(),
        py::arg("progress") = py::none(),
        R"(Write labels.nii.gz, slices/NNN.png, sheet.png and result.json into a folder.

An earlier result there is replaced; result.json comes last: where it is, the result is whole. Slices with variable
gaps have a nominal affine in labels.nii.gz, and labels_grid.nii.gz on a regular grid lies beside it. Of an ensemble,
slices.csv has what its members said.

Parameters
----------
detection : Detection
study : ichdet.Study or ichdet.SliceStack
    That the detection is of.
folder : str or PathLike
    Made where it is missing.
progress : None, True or callable
    True shows a bar of tqdm; a callable is given a stage's name and the fraction done.

Returns
-------
ichdet.StudyResult
    As written, with the assumptions that writing added.

Raises
------
ichdet.Error
    io: a file cannot be written.

Examples
--------
>>> stack = ichdet.phantom(seed=1, rows=64, columns=64, pixel_mm=3.5, slices=4, thickness_mm=30, subsamples=1).stack
>>> found = ichdet.nn.open_detector()(stack)
>>> import os
>>> with tempfile.TemporaryDirectory() as folder:
...     written = ichdet.nn.write_detection(found, stack, folder)
...     sorted(os.listdir(folder))
['labels.nii.gz', 'result.json', 'sheet.png', 'slices', 'slices.csv'])");
}

DetectorOptions options_of(int threads, std::optional<double> decision_threshold, double min_lesion_ml, int top_voxels,
                           std::pair<double, double> review) {
  DetectorOptions options;
  options.threads = threads;
  options.decision_threshold = decision_threshold;
  options.min_lesion_ml = min_lesion_ml;
  options.top_voxels = top_voxels;
  options.review = {review.first, review.second};
  return options;
}

}  // namespace

void bind_detector(py::module_& m) {
  bind_detection(m);
  const DetectorOptions defaults;
  const std::pair<double, double> review(defaults.review.low, defaults.review.high);
  py::class_<Detector>(m, "Detector", R"(Finds blood in head CT studies by segmentation of the volume. Load once, apply to many.

Resamples a stack to the bundle's spacing, segments it, brings labels (nearest) and the probability of blood (linear)
back to the native slices, and measures there. Calls may run in several threads at once.

Parameters
----------
bundles : str, PathLike, ichdet.Bundle or Member, or a list of them
    Bundles by name or folder and networks of your own, whose answers are averaged; or a Segmenter, made with options
    of your choice.
threads : int
    0 for as many as the machine has.
precision, engine, region
    As for Segmenter.
decision_threshold : float or None
    A study is positive from this probability on, in (0, 1); None: the bundle's, else 0.5.
min_lesion_ml : float
    Smaller pieces are not listed as lesions, mL; their volume still counts.
top_voxels : int
    A slice's probability is the mean over this many of its highest probabilities of blood.
review : (float, float)
    A study's probability in this range, ends included, is flagged for review.

Raises
------
ichdet.Error
    options: one is out of its range, or no bundle; weights: weights that do not fit, or are not there.

Examples
--------
>>> dense = lambda hu: torch.cat([0.5 - hu[:, :1], hu[:, :1] - 0.5], dim=1) * 40
>>> spec = {"name": "dense", "classes": [{"name": "background", "blood": False}, {"name": "blood", "blood": True}],
...         "input": {"orientation": "LPS", "spacing_mm": [4, 4, 4],
...                   "channels": [{"clip_hu": [0, 120], "scale_to": [0, 1]}]},
...         "patch": {"input": [16, 16, 16], "output": [16, 16, 16], "step": 0, "overlap": 0, "padding": "edge",
...                   "blending": "constant"}}
>>> detector = ichdet.nn.Detector(ichdet.nn.Member(dense, spec), region="brain")
>>> stack = ichdet.phantom(seed=1, rows=64, columns=64, pixel_mm=3.5, slices=24, thickness_mm=6, subsamples=1,
...                        hemorrhages=[ichdet.Hemorrhage("iph", 30)]).stack
>>> found = detector(stack)
>>> found.result.decision.positive, found.result.volumes_ml["blood"] > 15
(True, True))")
      .def(py::init([](const MembersArgument& members, int threads, const std::string& precision,
                       const std::string& engine, const std::string& region, std::optional<double> decision_threshold,
                       double min_lesion_ml, int top_voxels, std::pair<double, double> review) {
             const py::gil_scoped_release unlocked;
             return Detector(Segmenter(open_members(members), segmenter_options(threads, precision, engine, region)),
                             options_of(threads, decision_threshold, min_lesion_ml, top_voxels, review));
           }),
           py::arg("bundles"), py::kw_only(), py::arg("threads") = defaults.threads, py::arg("precision") = "auto",
           py::arg("engine") = "auto", py::arg("region") = "head", py::arg("decision_threshold") = py::none(),
           py::arg("min_lesion_ml") = defaults.min_lesion_ml, py::arg("top_voxels") = defaults.top_voxels,
           py::arg("review") = review)
      .def(py::init([](const Segmenter& segmenter, int threads, std::optional<double> decision_threshold,
                       double min_lesion_ml, int top_voxels, std::pair<double, double> review) {
             return Detector(segmenter, options_of(threads, decision_threshold, min_lesion_ml, top_voxels, review));
           }),
           py::arg("bundles"), py::kw_only(), py::arg("threads") = defaults.threads,
           py::arg("decision_threshold") = py::none(), py::arg("min_lesion_ml") = defaults.min_lesion_ml,
           py::arg("top_voxels") = defaults.top_voxels, py::arg("review") = review)
      .def(
          "__call__",
          [](const Detector& detector, const SliceStack& stack, const ProgressArgument& progress) {
            return watched(progress, [&](const Progress& tell) { return detector(stack, tell); });
          },
          py::arg("stack"), py::kw_only(), py::arg("progress") = py::none(),
          R"(Find the blood of a study.

Parameters
----------
stack : ichdet.SliceStack
progress : None, True or callable
    True shows a bar of tqdm; a callable is given a stage's name and the fraction done.

Returns
-------
Detection)");
}

}  // namespace ichdet::python
