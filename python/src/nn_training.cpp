#include <pybind11/stl/filesystem.h>

#include <optional>

#include "ichdet/bundle/bundle.hpp"
#include "ichdet/bundle/cache.hpp"
#include "ichdet/bundle/recipe.hpp"
#include "ichdet/core/error.hpp"
#include "ichdet/nn/denormals.hpp"
#include "ichdet/report/drift.hpp"
#include "ichdet/report/figures.hpp"
#include "ichdet/train/calibrate_bundle.hpp"
#include "ichdet/train/data_sets.hpp"
#include "ichdet/train/finetune.hpp"
#include "ichdet/train/judge.hpp"
#include "ichdet/train/monitor.hpp"
#include "json.hpp"
#include "watched.hpp"

namespace ichdet::python {

using namespace train;

namespace {

using Path = std::filesystem::path;
using Paths = std::vector<Path>;
using MaybePath = std::optional<Path>;  // Python's empty path is "."
using MaskClasses = std::map<std::uint8_t, std::uint8_t>;

/// As Python's warnings, so that they are seen before hours are spent.
void warn(const std::vector<std::string>& notes) {
  for (const auto& note : notes) {
    if (PyErr_WarnEx(PyExc_UserWarning, note.c_str(), 1) != 0) throw py::error_already_set();
  }
}

py::dict to_dict(const TrainResult& result) {
  py::dict best(py::cast(result.fit.best.values));
  py::object bundle = py::none();
  if (!result.bundle.empty()) bundle = py::cast(result.bundle);
  using namespace py::literals;
  return py::dict("step"_a = result.fit.step, "seconds"_a = result.fit.seconds, "best_step"_a = result.fit.best_step,
                  "best"_a = best, "bundle"_a = bundle);
}

py::dict train_as_the_command(const std::string& recipe_name, const Path& out, const Paths& data, const Paths& rsna,
                              const Paths& splits, const std::string& fold, const MaskClasses& mask_classes,
                              const MaybePath& cache, const MaybePath& initial, const Paths& members, double minutes,
                              int workers, int threads, const std::string& device, const std::string& name,
                              const std::string& licence, const MaybePath& licence_file,
                              const std::string& training_data, const py::object& progress) {
  const auto recipe = find_recipe(recipe_name);
  DataOptions from;
  from.manifests = data;
  from.rsna = rsna;
  from.splits = splits;
  if (!fold.empty()) from.fold = parse_fold(fold);
  from.preparation.mask_classes = mask_classes;
  from.preparation.cache = cache.value_or(Path());
  from.preparation.threads = threads;
  TrainOptions options;
  options.folder = out;
  options.initial = initial.value_or(Path());
  options.members = members;
  options.minutes = minutes;
  options.workers = workers;
  options.device = device;
  options.name = name;
  options.licence = licence;
  options.licence_file = licence_file.value_or(Path());
  options.command = "ichdet.train.train";
  const auto read = watched(progress, [&](const Progress& tell) {
    const InferenceThreads limited(threads);
    return read_training_data(recipe, from, members, tell);
  });
  warn(read.notes);
  options.split_hash = read.split_hash;
  options.data_words = training_data.empty() ? read.words : training_data;
  std::string calibration;
  auto found = to_dict(watched(progress, [&](const Progress& tell) {
    const InferenceThreads limited(threads);
    auto result = train::train(recipe, read.studies, options, tell);
    if (result.made) calibration = calibrate_bundle(result.bundle, read, threads, tell);
    return result;
  }));
  found["calibration"] = calibration;
  return found;
}

py::dict finetune_as_the_command(const std::string& bundle, const Path& corrections, const Path& out,
                                 const Path& validation, const MaybePath& replay, const py::object& training,
                                 const std::string& validation_split, const std::string& selection_split,
                                 const std::string& replay_split, double replay_share, const MaskClasses& mask_classes,
                                 const MaybePath& cache, double threshold, double tolerance, std::int64_t resamples,
                                 double minutes, int workers, int threads, const py::object& progress) {
  FineTuneOptions options;
  options.folder = out;
  if (!training.is_none()) options.training = from_python(training);
  options.validation_split = validation_split;
  options.selection_split = selection_split;
  options.replay_split = replay_split;
  options.replay_share = replay_share;
  options.mask_classes = mask_classes;
  options.cache = cache.value_or(Path());
  options.choice.threshold = threshold;
  options.choice.tolerance = tolerance;
  options.choice.bootstrap.resamples = resamples;
  options.command = "ichdet.train.finetune";
  options.minutes = minutes;
  options.threads = threads;
  options.workers = workers;
  const auto parent = resolve_bundle(bundle);
  const auto result = watched(progress, [&](const Progress& tell) {
    const InferenceThreads limited(threads);
    return finetune(parent, {corrections, validation, replay.value_or(Path())}, options, tell);
  });
  warn(result.notes);
  auto made = to_dict(result.training);
  made["selection"] = result.selection;
  made["choice"] = result.choice ? to_python(to_json(*result.choice)) : py::none();
  made["before"] = result.before ? to_python(to_json(*result.before)) : py::none();
  made["after"] = result.after ? to_python(to_json(*result.after)) : py::none();
  return made;
}

Judged judge_a_manifest(const Path& model, const Path& manifest, const std::string& split,
                        const MaskClasses& mask_classes, double slice_thickness_mm, int threads,
                        const py::object& progress) {
  PreparationOptions reading;
  reading.mask_classes = mask_classes;
  reading.slice_thickness_mm = slice_thickness_mm;
  auto judged = watched(progress, [&](const Progress& tell) {
    return judge(open_model(model, threads), judged_studies(manifest, split), reading, tell);
  });
  warn(judged.notes);
  return judged;
}

void bind_judge(py::module_& m) {
  py::class_<Judged>(m, "Judged", "What a model said about a manifest's studies, beside the truth. From `judge`.")
      .def_readonly("outcomes", &Judged::outcomes, "Of each study an ichdet.evaluate.StudyOutcome.")
      .def_readonly("notes", &Judged::notes, "Studies that could not be read, and labels that masks contradict.")
      .def(
          "write_reference", [](const Judged& judged, const Path& file) { write_reference(file, judged.reference); },
          py::arg("file"),
          "The model's scores, as a bundle's reference_scores.json, which `monitor` compares new ones with.");
  m.def(
      "judge", &judge_a_manifest, py::arg("model"), py::arg("manifest"), py::kw_only(), py::arg("split") = "",
      py::arg("mask_classes") = MaskClasses{}, py::arg("slice_thickness_mm") = 0.0, py::arg("threads") = 0,
      py::arg("progress") = py::none(),
      R"(Asks a model about a manifest's studies, as `ichdet judge` does; `ichdet.evaluate.figures(judged.outcomes)` says
what it is worth.

Parameters
----------
model : a name, a bundle's or ensemble's folder, or an ensemble's YAML file
manifest : CSV of studies with masks or labels
split : the studies of this split alone; empty: all
mask_classes : what a value of all masks is to the model, such as {1: 1, 2: 0}
slice_thickness_mm : of single slices, in place of the files'; 0: the files'
progress : called with the stage's name and the fraction done

Returns a Judged. What could not be read, and contradictions, are warned of.)");
}

void bind_monitor(py::module_& m) {
  m.def(
      "monitor",
      [](const Path& model, const Paths& results) { return to_python(to_json(monitor(model, read_results(results)))); },
      py::arg("model"), py::arg("results"),
      R"(Whether a model's scores of new studies drift from its validation set's, as `ichdet monitor` does: a dict.

model : a bundle's or ensemble's name or folder, with reference_scores.json
results : list of result.json files, or of folders with such files in or below them)");
  m.def(
      "store_reference",
      [](const Path& model, const Paths& results) {
        const auto file = reference_file(model);
        write_reference(file, read_results(results));
        return file;
      },
      py::arg("model"), py::arg("results"),
      "Makes the results of the validation set the model's reference_scores.json; returns its path.");
}

}  // namespace

void bind_training(py::module_& m) {
  m.def("train", &train_as_the_command, py::arg("recipe"), py::arg("out"), py::kw_only(), py::arg("data") = Paths{},
        py::arg("rsna") = Paths{}, py::arg("splits") = Paths{}, py::arg("fold") = "",
        py::arg("mask_classes") = MaskClasses{}, py::arg("cache") = py::none(), py::arg("initial") = py::none(),
        py::arg("members") = Paths{}, py::arg("minutes") = 0.0, py::arg("workers") = 1, py::arg("threads") = 0,
        py::arg("device") = "cpu", py::arg("name") = "", py::arg("licence") = "", py::arg("licence_file") = py::none(),
        py::arg("training_data") = "", py::arg("progress") = py::none(),
        R"(Trains a recipe's network on your own scans, as `ichdet train` does (docs/training.md).

Interrupted (Ctrl-C), out of `minutes` or killed, the same call goes on where it was. Seeds torch's generator.

Parameters
----------
recipe : a recipe's name (`ichdet models recipes`) or its YAML file
out : folder for state, log, curves and the bundle
data : list of CSV manifests
rsna : list of folders with RSNA 2019's stage_2_train.csv and stage_2_train/
splits : list of CSV files of study, patient, split; empty: the data's own splits, the recipe's shares for the rest
fold : 'K/N', the K-th round of N-fold cross validation by patients; what has a split of its own other than train and
    the recipe's validate.split stays apart
mask_classes : what a value of all masks is to the model, such as {1: 1, 2: 0}
cache : folder of prepared studies, used again by later trainings; None: none is kept
initial : weights to begin with: a bundle's folder or a file; None: random ones
members : of a recipe that weighs maps: the bundles, in the recipe's order
minutes : of this call; 0: until the end
workers : threads that prepare examples ahead
threads : of LibTorch, and studies prepared at a time; 0: as many as the machine has
device : 'cpu', or 'cuda' where torch has it
name, licence, licence_file, training_data : of the bundle
progress : called with the stage's name and the fraction done

Returns a dict: step, seconds, best_step, best (its figures), bundle (None where the training is not yet at its end), calibration (what
calibrated a bundle that this call made, in words).
What was passed over in the data is warned of.)");
  m.def("finetune", &finetune_as_the_command, py::arg("bundle"), py::arg("corrections"), py::arg("out"), py::kw_only(),
        py::arg("validation"), py::arg("replay") = py::none(), py::arg("training") = py::none(),
        py::arg("validation_split") = "validation", py::arg("selection_split") = "select",
        py::arg("replay_split") = "train", py::arg("replay_share") = FineTuneOptions{}.replay_share,
        py::arg("mask_classes") = MaskClasses{}, py::arg("cache") = py::none(), py::arg("threshold") = 0.5,
        py::arg("tolerance") = evaluate::ModelChoiceOptions{}.tolerance, py::arg("resamples") = 2000,
        py::arg("minutes") = 0.0, py::arg("workers") = 1, py::arg("threads") = 0, py::arg("progress") = py::none(),
        R"(A new version of a bundle from corrected masks, compared with the old, as `ichdet finetune` does.

Parameters
----------
bundle : the parent: a name or a bundle's folder
corrections : folder of NAME_mask.nii.gz beside NAME.nii.gz or the DICOM folder NAME; or a manifest
out : folder for the new bundle, the comparison and the log
validation : manifest; both versions are judged on its `validation_split`, the best weights chosen on `selection_split`
replay : manifest of what the parent learned from; its `replay_split` is `replay_share` of the examples
training : a recipe's section `training` as a dict; None: 300 careful steps
threshold, tolerance, resamples : of `ichdet.evaluate.choose_model`
and the rest as `train` has it

Returns a dict: what `train` returns, selection (on what the best weights were chosen), and choice, before, after: the
verdict and both versions' figures; None where the training is not yet at its end.)");
  bind_judge(m);
  bind_monitor(m);
}

}  // namespace ichdet::python
