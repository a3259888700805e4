#include <pybind11/stl/filesystem.h>

// After pybind11's own headers: torch's caster of at::Tensor.
#include <pybind11/stl.h>
#include <torch/csrc/utils/pybind.h>

#include <memory>

#include "choices.hpp"
#include "convert.hpp"
#include "data_options.hpp"
#include "ichdet/bundle/recipe.hpp"
#include "ichdet/nn/denormals.hpp"
#include "ichdet/train/examples.hpp"
#include "ichdet/train/prepared.hpp"
#include "ichdet/train/sampling.hpp"
#include "ichdet/train/train.hpp"
#include "watched.hpp"

// What networks are shown: prepared studies, which slices are drawn, examples.
namespace ichdet::python {

using namespace train;

namespace {

using Balance = SamplingOptions::Balance;
using Studies = std::vector<TrainingStudy>;
using MaybeTensor = std::optional<at::Tensor>;

const Choices<Balance> balances{
    {"uniform", Balance::uniform}, {"undersampled", Balance::undersampled}, {"share", Balance::share}};

MaybeTensor if_defined(const at::Tensor& tensor) { return tensor.defined() ? MaybeTensor(tensor) : std::nullopt; }

/// Examples, and the studies that they are made of.
struct HeldExamples {
  std::shared_ptr<const Studies> studies;
  Examples examples;
};

void bind_study(py::module_& m) {
  py::class_<TrainingStudy>(m, "TrainingStudy", R"(A scan as a trainer holds it, at the network's pixel size or on its grid.

From `prepare_studies` or `read_training_data`. HU are held in 16 bits: at most 1/32 HU is lost.

Examples
--------
>>> with tempfile.TemporaryDirectory() as folder:
...     studies = ichdet.train.prepare_studies(ichdet.train.sample_data(folder), f"{folder}/small.yaml")
>>> studies[0]
<ichdet.train.TrainingStudy bleed: 4 slices of 32 x 32, split train>
>>> studies[0].hu.shape, np.unique(studies[0].mask).tolist()
((4, 32, 32), [0, 1]))")
      .def_readonly("study", &TrainingStudy::study, "Its name.")
      .def_readonly("patient", &TrainingStudy::patient, "Whose scan it is.")
      .def_readwrite("split", &TrainingStudy::split, "\"train\", \"validation\", \"test\", or what a manifest calls it.")
      .def_readonly("group", &TrainingStudy::group, "Of studies that are drawn together: the manifest's name.")
      .def_readonly("geometry", &TrainingStudy::geometry, "SliceGeometry: where the pixels lie.")
      .def_property_readonly(
          "hu", [](const TrainingStudy& study) { return lend(study.hu.slices(0, study.geometry.count())); },
          "(slice, row, column), float32, Hounsfield units; a copy.")
      .def_property_readonly(
          "mask", [](const TrainingStudy& study) { return lend(mask_of(study, 0, study.geometry.count())); },
          "(slice, row, column), uint8: class of each pixel, 255 where it is not known; a copy.")
      .def_property_readonly(
          "stack", [](const TrainingStudy& study) { return stack_of(study, 0, study.geometry.count()); },
          "Its slices as a SliceStack.")
      .def_readonly("label_names", &TrainingStudy::label_names, "What `labels` are of.")
      .def_readonly("labels", &TrainingStudy::labels, "labels[slice][i]: 1 where label_names[i] holds, 0 or NaN.")
      .def_readonly("study_labels", &TrainingStudy::study_labels, "The same of the whole study.")
      .def_readonly("assumptions", &TrainingStudy::assumptions, "What had to be assumed, one sentence each.")
      .def_readonly("contradictions", &TrainingStudy::contradictions, "Between labels and mask, one sentence each.")
      .def_readonly("content", &TrainingStudy::content, "SHA-256 of what the pixels were made from.")
      .def("__repr__", [](const TrainingStudy& study) {
        return "<ichdet.train.TrainingStudy " + study.study + ": " + std::to_string(study.geometry.count()) +
               " slices of " + std::to_string(study.geometry.rows()) + " x " +
               std::to_string(study.geometry.columns()) + ", split " + study.split + ">";
      });
  const PreparationOptions usual;
  m.def(
      "prepare_studies",
      [](const Dataset& dataset, const Path& recipe, const Paths& members, const MaybePath& cache,
         const MaskClasses& mask_classes, double mask_tolerance_mm, double slice_thickness_mm, bool allow_gaps,
         bool anatomy, int threads, const ProgressArgument& progress) {
        PreparationOptions options;
        options.cache = cache.value_or(Path());
        options.mask_classes = mask_classes;
        options.mask_tolerance_mm = mask_tolerance_mm;
        options.slice_thickness_mm = slice_thickness_mm;
        options.allow_gaps = allow_gaps;
        options.anatomy = anatomy;
        options.threads = threads;
        return watched(progress, [&](const Progress& tell) {
          return prepare_studies(dataset, data_model(find_recipe(recipe.string()), members), options, tell);
        });
      },
      py::arg("dataset"), py::arg("recipe"), py::kw_only(), py::arg("members") = Paths{},
      py::arg("cache") = py::none(), py::arg("mask_classes") = usual.mask_classes,
      py::arg("mask_tolerance_mm") = usual.mask_tolerance_mm, py::arg("slice_thickness_mm") = usual.slice_thickness_mm,
      py::arg("allow_gaps") = usual.allow_gaps, py::arg("anatomy") = usual.anatomy,
      py::arg("threads") = usual.threads, py::arg("progress") = py::none(),
      R"(Reads a data set's studies as a recipe's network reads them, before windows.

For networks of images: upright slices of the recipe's size; for networks of volumes: the grid of its spacing. Labels
are completed by masks, where these are known.

Parameters
----------
dataset : Dataset
recipe : str or path
    A recipe's name (`ichdet models recipes`) or its YAML file.
members : list of path
    Of a recipe that weighs maps: the bundles whose maps are weighed.
cache : path or None
    Folder of prepared studies, used again where nothing that they were made from has changed.
mask_classes : dict of int to int
    What a mask's values are to the model, such as {1: 1, 2: 0}; empty: as they are.
mask_tolerance_mm : float
    A mask's corner voxels lie no farther from the scan's.
slice_thickness_mm : float
    Of a single slice; 0: from the file, else 5 mm.
allow_gaps : bool
    Read DICOM series in which slices are missing.
anatomy : bool
    Look for the head's anatomy, which painting needs.
threads : int
    Studies at a time; 0: as many as the machine has.
progress : bool, callable or None
    True: a bar (tqdm). A callable is called with the stage's name and the fraction done.

Returns
-------
list of TrainingStudy
    In the data set's order.

Raises
------
ichdet.Error
    io, dicom: a scan cannot be read. geometry: a mask does not lie on its scan. shape: a mask's value is no class.
    cancelled: stopped.

Examples
--------
>>> with tempfile.TemporaryDirectory() as folder:
...     dataset = ichdet.train.sample_data(folder)
...     studies = ichdet.train.prepare_studies(dataset, f"{folder}/small.yaml")
>>> [study.study for study in studies], studies[1].labels[0]
(['bleed', 'sound'], [0.0]))");
}

void bind_sampling(py::module_& m) {
  py::class_<Candidate>(m, "Candidate", R"(One slice that may be drawn.

Examples
--------
>>> ichdet.train.Candidate(study=0, slice=3, blood=1.0).slice
3)")
      .def(py::init([](std::int64_t study, std::int64_t slice, float blood, const std::string& group) {
             return Candidate{study, slice, blood, group};
           }),
           py::kw_only(), py::arg("study"), py::arg("slice"), py::arg("blood"), py::arg("group") = "")
      .def_readonly("study", &Candidate::study, "The study's index.")
      .def_readonly("slice", &Candidate::slice, "The slice's index in it.")
      .def_readonly("blood", &Candidate::blood, "1, 0, or NaN: not known.")
      .def_readonly("group", &Candidate::group, "Of its study.");
  m.def(
      "candidates", [](const Studies& studies, const std::string& split) { return candidates(studies, split); },
      py::arg("studies"), py::arg("split"), R"(All slices of the studies in a split, and whether they show blood.

Parameters
----------
studies : list of TrainingStudy
split : str

Returns
-------
list of Candidate
    Blood is what the label any (or blood) says, else the mask, where it is known: any class but 0.

Examples
--------
>>> with tempfile.TemporaryDirectory() as folder:
...     studies = ichdet.train.prepare_studies(ichdet.train.sample_data(folder), f"{folder}/small.yaml")
>>> [slice.blood for slice in ichdet.train.candidates(studies, "train")][-4:]  # the healthy head's
[0.0, 0.0, 0.0, 0.0])");
  const SamplingOptions usual;
  py::class_<Sampler>(m, "Sampler", R"(Which slice each example of a training is.

A pure function of the seed and the example's index, without repeating one of a kind before all of that kind were drawn.

Parameters
----------
candidates : list of Candidate
balance : str
    'uniform' (every slice once an epoch), 'undersampled' (every slice with blood once, and as many without, other ones
    each time; S1) or 'share' (`blood_share` of each group's examples show blood).
blood_share : float
group_weights : dict of str to float
    Groups' shares of the examples, whatever their sizes; empty: groups are not told apart.
images : int
    Learn from at most this many slices, drawn at random; 0: all.
seed : int

Raises
------
ichdet.Error
    options: nothing to draw from, a share outside [0, 1], or a group that has weight has no slice.

Examples
--------
>>> slices = [ichdet.train.Candidate(study=0, slice=i, blood=float(i < 2)) for i in range(10)]
>>> sampler = ichdet.train.Sampler(slices, balance="undersampled", seed=1)
>>> len(sampler), sum(sampler(i).blood for i in range(len(sampler)))
(4, 2.0))")
      .def(py::init([](std::vector<Candidate> candidates, const std::string& balance, double blood_share,
                       std::map<std::string, double> group_weights, std::int64_t images, std::uint64_t seed) {
             const SamplingOptions options{choice("balance", balance, balances), blood_share, std::move(group_weights),
                                           images};
             return Sampler(std::move(candidates), options, seed);
           }),
           py::arg("candidates"), py::kw_only(), py::arg("balance") = word_of(usual.balance, balances),
           py::arg("blood_share") = usual.blood_share, py::arg("group_weights") = usual.group_weights,
           py::arg("images") = usual.images, py::arg("seed") = 0)
      .def("__len__", &Sampler::epoch_size, "Examples of an epoch.")
      .def("__call__", &Sampler::operator(), py::arg("example"), "The example's slice; the index may go on for ever.");
}

void bind_examples(py::module_& m) {
  py::class_<Example>(m, "Example", R"(What a network is shown once, and the truth. From `Examples`.

Examples
--------
>>> with tempfile.TemporaryDirectory() as folder:
...     studies = ichdet.train.prepare_studies(ichdet.train.sample_data(folder), f"{folder}/small.yaml")
...     example = ichdet.train.Examples(studies, f"{folder}/small.yaml")[0]
>>> example.input.dtype, example.target.dtype
(torch.float32, torch.uint8))")
      .def_readonly("input", &Example::input, "(channel, space), or of exams (slice, channel, row, column), float32.")
      .def_readonly("target", &Example::target,
                    "Classes, uint8, (space) or (); of sigmoids (class), float32. 255 or NaN: not known.")
      .def_property_readonly(
          "mask", [](const Example& example) { return if_defined(example.mask); },
          "(row, column), uint8, of classifiers where it is known; else None.")
      .def_readonly("painted", &Example::painted, "Whether blood was painted into it.");
  const ExampleOptions usual;
  py::class_<HeldExamples>(m, "Examples", R"(What a recipe's network is shown of studies: drawn, painted, augmented, windowed.

The examples that `train` learns from, for a training loop of one's own. Each is a pure function of its index; channels
and sizes are those that detectors and classifiers make of the same slices.

Parameters
----------
studies : list of TrainingStudy
    Prepared for the recipe; with `anatomy` where it paints.
recipe : str or path
    A recipe's name or its YAML file, with a section `training`.
split : str
    The studies' split.
augmented : bool
    False: slices as they are, each once, in order.
repeat_from : int
    Added to each index: other draws of the same kind.

Raises
------
ichdet.Error
    options: the split is empty, or the recipe has no section `training`.

Examples
--------
>>> with tempfile.TemporaryDirectory() as folder:
...     studies = ichdet.train.prepare_studies(ichdet.train.sample_data(folder), f"{folder}/small.yaml")
...     examples = ichdet.train.Examples(studies, f"{folder}/small.yaml", augmented=False)
>>> len(examples), tuple(examples[0].input.shape)
(8, (1, 32, 32))
>>> inputs, targets, masks = examples.batch(0, 4)
>>> tuple(inputs.shape), tuple(targets.shape), masks
((4, 1, 32, 32), (4, 32, 32), None))")
      .def(py::init([](Studies studies, const Path& recipe_name, const std::string& split, bool augmented,
                       std::int64_t repeat_from) {
             const py::gil_scoped_release unlocked;
             const auto recipe = find_recipe(recipe_name.string());
             const auto model = model_of(recipe);
             const auto held = std::make_shared<const Studies>(std::move(studies));
             return HeldExamples{held, make_examples(*held, model, parse_training(recipe.training, model, recipe.name),
                                                     {split, augmented, repeat_from})};
           }),
           py::arg("studies"), py::arg("recipe"), py::kw_only(), py::arg("split") = usual.split,
           py::arg("augmented") = usual.augmented, py::arg("repeat_from") = usual.repeat_from)
      .def(
          "__len__", [](const HeldExamples& held) { return held.examples.epoch; }, "Examples of an epoch.")
      .def(
          "__getitem__",
          [](const HeldExamples& held, std::int64_t index) {
            if (index < 0 || index >= held.examples.epoch) throw py::index_error("no such example in an epoch");
            const py::gil_scoped_release unlocked;
            return held.examples.at(index);
          },
          py::arg("index"), "An example of the first epoch.")
      .def(
          "at",
          [](const HeldExamples& held, std::int64_t index) {
            const py::gil_scoped_release unlocked;
            return held.examples.at(index);
          },
          py::arg("index"), "Any example; those of the second epoch begin at len(examples).")
      .def(
          "batch",
          [](const HeldExamples& held, std::int64_t step, std::int64_t size) {
            Batch batch;
            {
              const py::gil_scoped_release unlocked;
              batch = batches(held.examples.at, size)(step);
            }
            return std::tuple(batch.input, batch.target, if_defined(batch.mask));
          },
          py::arg("step"), py::arg("size"), "(input, target, mask) of `size` examples side by side; mask may be None.")
      .def_property_readonly(
          "studies", [](const HeldExamples& held) { return held.examples.studies; },
          "Of each example of an epoch, where they are not augmented: its study's index.");
}

void bind_training_data(py::module_& m) {
  py::class_<TrainingData>(m, "TrainingData", R"(What a training learns from and is judged by. From `read_training_data`.

Examples
--------
>>> with tempfile.TemporaryDirectory() as folder:
...     _ = ichdet.train.sample_data(folder)
...     data = ichdet.train.read_training_data(f"{folder}/small.yaml", data=[f"{folder}/manifest.csv"])
>>> data.words
'manifest: 2 studies (train 2)')")
      .def_readonly("studies", &TrainingData::studies, "Prepared, of the splits to learn from and to choose weights by.")
      .def_readonly("notes", &TrainingData::notes, "What was passed over, contradicts itself or is missing.")
      .def_readonly("split_hash", &TrainingData::split_hash, "Of all studies, prepared or not.")
      .def_readonly("selection", &TrainingData::selection, "Data sets of the split that chooses the weights.")
      .def_readonly("words", &TrainingData::words, "What the data are, in words.");
  m.def(
      "read_training_data",
      [](const Path& recipe, const Paths& data, const Paths& rsna, const Paths& splits, const std::string& fold,
         const MaskClasses& mask_classes, const MaybePath& cache, const Paths& members, int threads,
         const ProgressArgument& progress) {
        const auto from = data_options(data, rsna, splits, fold, mask_classes, cache, threads);
        return watched(progress, [&](const Progress& tell) {
          const InferenceThreads limited(threads);
          return read_training_data(find_recipe(recipe.string()), from, members, tell);
        });
      },
      py::arg("recipe"), py::kw_only(), py::arg("data") = Paths{}, py::arg("rsna") = Paths{},
      py::arg("splits") = Paths{}, py::arg("fold") = "", py::arg("mask_classes") = MaskClasses{},
      py::arg("cache") = py::none(), py::arg("members") = Paths{}, py::arg("threads") = 0,
      py::arg("progress") = py::none(), R"(Reads and prepares what `train` would learn from, for a training loop of one's own.

The parameters are those of `train`.

Returns
-------
TrainingData

Raises
------
ichdet.Error
    options: no data set is named, split files disagree, or a split that is needed is empty; and as `prepare_studies`.

Examples
--------
>>> with tempfile.TemporaryDirectory() as folder:
...     _ = ichdet.train.sample_data(folder)
...     data = ichdet.train.read_training_data(f"{folder}/small.yaml", data=[f"{folder}/manifest.csv"])
>>> [study.split for study in data.studies]
['train', 'train'])");
}

}  // namespace

void bind_studies(py::module_& m) {
  bind_study(m);
  bind_sampling(m);
  bind_examples(m);
  bind_training_data(m);
}

}  // namespace ichdet::python
