#include <pybind11/stl/filesystem.h>

#include <optional>

#include "ichdet/bundle/bundle.hpp"
#include "ichdet/bundle/cache.hpp"
#include "ichdet/bundle/recipe.hpp"
#include "ichdet/core/error.hpp"
#include "ichdet/nn/denormals.hpp"
#include "data_options.hpp"
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

/// As Python's warnings, so that they are seen before hours are spent.
void warn(const std::vector<std::string>& notes) {
  for (const auto& note : notes) {
    if (PyErr_WarnEx(PyExc_UserWarning, note.c_str(), 1) != 0) throw py::error_already_set();
  }
}

JsonDict to_dict(const TrainResult& result) {
  py::dict best(py::cast(result.fit.best.values));
  py::object bundle = py::none();
  if (!result.bundle.empty()) bundle = py::cast(result.bundle);
  using namespace py::literals;
  return py::dict("step"_a = result.fit.step, "seconds"_a = result.fit.seconds, "best_step"_a = result.fit.best_step,
                  "best"_a = best, "bundle"_a = bundle);
}

JsonDict train_as_the_command(const Path& recipe_name, const Path& out, const Paths& data, const Paths& rsna,
                              const Paths& splits, const std::string& fold, const MaskClasses& mask_classes,
                              const MaybePath& cache, const MaybePath& initial, const Paths& members, double minutes,
                              int workers, int threads, const std::string& device, const std::string& name,
                              const std::string& licence, const MaybePath& licence_file,
                              const std::string& training_data, const ProgressArgument& progress) {
  const auto recipe = find_recipe(recipe_name.string());
  const auto from = data_options(data, rsna, splits, fold, mask_classes, cache, threads);
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

JsonDict finetune_as_the_command(const Path& bundle, const Path& corrections, const Path& out,
                                 const Path& validation, const MaybePath& replay, const std::optional<JsonDict>& training,
                                 const std::string& validation_split, const std::string& selection_split,
                                 const std::string& replay_split, double replay_share, const MaskClasses& mask_classes,
                                 const MaybePath& cache, double threshold, double tolerance, std::int64_t resamples,
                                 double minutes, int workers, int threads, const ProgressArgument& progress) {
  FineTuneOptions options;
  options.folder = out;
  if (training) options.training = from_python(*training);
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
  const auto parent = resolve_bundle(bundle.string());
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
                        const ProgressArgument& progress) {
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
  py::class_<Judged>(m, "Judged", R"(What a model said about a manifest's studies, beside the truth. From `judge`.

Examples
--------
>>> with tempfile.TemporaryDirectory() as folder:
...     _ = ichdet.train.sample_data(folder)
...     made = ichdet.train.train(f"{folder}/small.yaml", f"{folder}/out", data=[f"{folder}/manifest.csv"], threads=1)
...     judged = ichdet.train.judge(made["bundle"], f"{folder}/manifest.csv", threads=1)
>>> [outcome.study for outcome in judged.outcomes]
['bleed', 'sound'])")
      .def_readonly("outcomes", &Judged::outcomes, "Of each study an ichdet.evaluate.StudyOutcome.")
      .def_readonly("notes", &Judged::notes, "Studies that could not be read, and labels that masks contradict.")
      .def(
          "write_reference", [](const Judged& judged, const Path& file) { write_reference(file, judged.reference); },
          py::arg("file"),
          "The model's scores, as a bundle's reference_scores.json, which `monitor` compares new ones with.");
  m.def(
      "judged_studies", &judged_studies, py::call_guard<py::gil_scoped_release>(), py::arg("manifest"),
      py::arg("split") = "", R"(The studies that `judge` asks a model about, with labels of every type of blood.

Parameters
----------
manifest : str or path
split : str
    Empty: all.

Returns
-------
Dataset

Raises
------
ichdet.Error
    options: none is of the split. io: as `read_manifest`.

Examples
--------
>>> with tempfile.TemporaryDirectory() as folder:
...     _ = ichdet.train.sample_data(folder)
...     len(ichdet.train.judged_studies(f"{folder}/manifest.csv", "train").studies)
2)");
  m.def(
      "judge", &judge_a_manifest, py::arg("model"), py::arg("manifest"), py::kw_only(), py::arg("split") = "",
      py::arg("mask_classes") = MaskClasses{}, py::arg("slice_thickness_mm") = 0.0, py::arg("threads") = 0,
      py::arg("progress") = py::none(),
      R"(Asks a model about a manifest's studies, as `ichdet judge` does.

`ichdet.evaluate.figures(judged.outcomes)` says what it is worth. What could not be read, and contradictions, are warned
of.

Parameters
----------
model : str or path
    A name, a bundle's or ensemble's folder, or an ensemble's YAML file.
manifest : str or path
    CSV of studies with masks or labels.
split : str
    The studies of this split alone; empty: all.
mask_classes : dict of int to int
    What a value of all masks is to the model, such as {1: 1, 2: 0}; empty: as they are.
slice_thickness_mm : float
    Of single slices, in place of the files'; 0: the files'.
threads : int
    0: as many as the machine has.
progress : bool, callable or None
    True: a bar (tqdm). A callable is called with the stage's name and the fraction done.

Returns
-------
Judged

Raises
------
ichdet.Error
    options: the model tells no slices apart, or no study is of the split; and what opening the model throws.
    cancelled: stopped.

Examples
--------
>>> with tempfile.TemporaryDirectory() as folder:
...     _ = ichdet.train.sample_data(folder)
...     made = ichdet.train.train(f"{folder}/small.yaml", f"{folder}/out", data=[f"{folder}/manifest.csv"], threads=1)
...     judged = ichdet.train.judge(made["bundle"], f"{folder}/manifest.csv", threads=1)
>>> judged.outcomes[0].blood, judged.outcomes[1].blood
(True, False))");
}

void bind_monitor(py::module_& m) {
  m.def(
      "monitor",
      [](const Path& model, const Paths& results) -> JsonDict {
        return to_python(to_json(monitor(model, read_results(results))));
      },
      py::arg("model"), py::arg("results"),
      R"(Whether a model's scores of new studies drift from its validation set's, as `ichdet monitor` does.

Parameters
----------
model : str or path
    A bundle's or ensemble's name or folder, with reference_scores.json: `store_reference`, `Judged.write_reference`.
results : list of path
    result.json files, or folders with such files in or below them.

Returns
-------
dict
    The report of docs/training.md.

Raises
------
ichdet.Error
    options: the results are of another model or version. io: a file cannot be read.

Examples
--------
>>> with tempfile.TemporaryDirectory() as folder:
...     _ = ichdet.train.sample_data(folder)
...     made = ichdet.train.train(f"{folder}/small.yaml", f"{folder}/out", data=[f"{folder}/manifest.csv"], threads=1)
...     try:
...         ichdet.train.monitor(made["bundle"], [folder])
...     except ichdet.Error as error:
...         print(error.code)
io)");
  m.def(
      "store_reference",
      [](const Path& model, const Paths& results) {
        const auto file = reference_file(model);
        write_reference(file, read_results(results));
        return file;
      },
      py::arg("model"), py::arg("results"), R"(Makes results of the validation set what `monitor` compares with.

Parameters
----------
model : str or path
    A bundle's or ensemble's name or folder.
results : list of path
    As `monitor` has it.

Returns
-------
pathlib.Path
    The model's reference_scores.json.

Raises
------
ichdet.Error
    options: not all results are of one model. io: a file cannot be read or written.

Examples
--------
>>> with tempfile.TemporaryDirectory() as folder:
...     _ = ichdet.train.sample_data(folder)
...     made = ichdet.train.train(f"{folder}/small.yaml", f"{folder}/out", data=[f"{folder}/manifest.csv"], threads=1)
...     try:
...         ichdet.train.store_reference(made["bundle"], [folder])
...     except ichdet.Error as error:
...         print(error.code)
io)");
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

Interrupted (Ctrl-C), out of `minutes` or killed, the same call goes on where it was. Seeds torch's generator. What was
passed over in the data is warned of.

Parameters
----------
recipe : str or path
    A recipe's name (`ichdet models recipes`) or its YAML file.
out : str or path
    Folder for state, log, curves and the bundle.
data : list of path
    CSV manifests.
rsna : list of path
    Folders with RSNA 2019's stage_2_train.csv and stage_2_train/.
splits : list of path
    CSV files of study, patient, split; empty: the data's own splits, the recipe's shares for the rest.
fold : str
    'K/N', the K-th round of N-fold cross validation by patients; what has a split of its own other than train and the
    recipe's validate.split stays apart.
mask_classes : dict of int to int
    What a value of all masks is to the model, such as {1: 1, 2: 0}.
cache : path or None
    Folder of prepared studies, used again by later trainings; None: none is kept.
initial : path or None
    Weights to begin with: a bundle's folder or a file; None: random ones.
members : list of path
    Of a recipe that weighs maps: the bundles, in the recipe's order.
minutes : float
    Of this call; 0: until the end.
workers : int
    Threads that prepare examples ahead.
threads : int
    Of torch, and studies prepared at a time; 0: as many as the machine has.
device : str
    'cpu', or 'cuda' where torch has it.
name, licence, licence_file, training_data : str or path
    Of the bundle.
progress : bool, callable or None
    True: a bar (tqdm). A callable is called with the stage's name and the fraction done.

Returns
-------
dict
    step, seconds, best_step, best (its figures), bundle (None where the training is not yet at its end), calibration
    (what calibrated a bundle that this call made, in words).

Raises
------
ichdet.Error
    options: the recipe has no section training, a split is empty, or `out` holds another training. weights: a loss is
    no number. io, dicom, geometry, shape: as `prepare_studies`. cancelled: stopped by `progress`.

Examples
--------
>>> with tempfile.TemporaryDirectory() as folder:
...     _ = ichdet.train.sample_data(folder)
...     made = ichdet.train.train(f"{folder}/small.yaml", f"{folder}/out", data=[f"{folder}/manifest.csv"], threads=1)
...     rows = ichdet.train.read_log(f"{folder}/out/metrics.csv")
>>> made["step"], made["bundle"].name, "validation/dice" in made["best"]
(2, 'bundle', True)
>>> max(row.step for row in rows)
2)");
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
bundle : str or path
    The parent: a name or a bundle's folder.
corrections : str or path
    Folder of NAME_mask.nii.gz beside NAME.nii.gz or the DICOM folder NAME; or a manifest.
out : str or path
    Folder for the new bundle, the comparison and the log.
validation : str or path
    Manifest; both versions are judged on its `validation_split`, the best weights chosen on `selection_split`.
replay : path or None
    Manifest of what the parent learned from; its `replay_split` is `replay_share` of the examples.
training : dict or None
    A recipe's section `training`; None: `finetune_training`.
threshold, tolerance, resamples
    Of `ichdet.evaluate.choose_model`.
validation_split, selection_split, replay_split, replay_share, mask_classes, cache, minutes, workers, threads, progress
    As above, and as `train` has them.

Returns
-------
dict
    What `train` returns, selection (on what the best weights were chosen), and choice, before, after: the verdict and
    both versions' figures; None where the training is not yet at its end.

Raises
------
ichdet.Error
    options: the parent tells no slices apart, a patient of the validation is among those learned from, or a split is
    empty; and as `train` and `judge`.

Examples
--------
>>> with tempfile.TemporaryDirectory() as folder:
...     _ = ichdet.train.sample_data(folder)
...     made = ichdet.train.train(f"{folder}/small.yaml", f"{folder}/out", data=[f"{folder}/manifest.csv"], threads=1)
...     try:
...         ichdet.train.finetune(made["bundle"], f"{folder}/manifest.csv", f"{folder}/new",
...                               validation=f"{folder}/manifest.csv", validation_split="train")
...     except ichdet.Error as error:
...         print(error.code)  # what is learned from does not judge
options)");
  m.def(
      "finetune_training",
      [](const Path& bundle) -> JsonDict {
        return to_python(finetune_training(open_bundle(resolve_bundle(bundle.string())).spec));
      },
      py::arg("bundle"), R"(How `finetune` trains unless told otherwise: 300 careful steps of AdamW.

Parameters
----------
bundle : str or path
    A name or a bundle's folder: the loss is what its outputs call for.

Returns
-------
dict
    A recipe's section `training`, to change and to hand on.

Raises
------
ichdet.Error
    io, weights: the bundle cannot be opened.

Examples
--------
>>> with tempfile.TemporaryDirectory() as folder:
...     _ = ichdet.train.sample_data(folder)
...     made = ichdet.train.train(f"{folder}/small.yaml", f"{folder}/out", data=[f"{folder}/manifest.csv"], threads=1)
...     training = ichdet.train.finetune_training(made["bundle"])
>>> training["steps"], training["optimizer"]["name"]
(300, 'adamw'))");
  m.def("next_version", &next_version, py::arg("version"), R"(The version of a bundle's successor.

Parameters
----------
version : str

Returns
-------
str

Examples
--------
>>> [ichdet.train.next_version(version) for version in ["3", "1.2", "v2-beta"]]
['4', '1.3', 'v2-beta-2'])");
  m.def("read_corrections", &read_corrections, py::call_guard<py::gil_scoped_release>(), py::arg("place"),
        py::arg("label_names") = std::vector<std::string>{"any"}, R"(Corrected scans as `finetune` reads them.

Parameters
----------
place : str or path
    A manifest (CSV), or a folder with NAME_mask.nii or NAME_mask.nii.gz for each scan NAME.nii, NAME.nii.gz or DICOM
    folder NAME. Each scan of a folder is a patient of its own.
label_names : list of str

Returns
-------
Dataset

Raises
------
ichdet.Error
    io: a mask has no scan, or there is no mask.

Examples
--------
>>> with tempfile.TemporaryDirectory() as folder:
...     _ = ichdet.train.sample_data(folder)
...     [study.study for study in ichdet.train.read_corrections(folder).studies]
['bleed', 'sound'])");
  bind_judge(m);
  bind_monitor(m);
}

}  // namespace ichdet::python
