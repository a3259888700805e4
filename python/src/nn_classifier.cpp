#include "ichdet/pipeline/exam_classifier.hpp"
#include "ichdet/pipeline/slice_classifier.hpp"
#include "ichdet/pipeline/slice_images.hpp"
#include "ichdet/pipeline/write_classification.hpp"

#include "convert.hpp"
#include "options.hpp"
#include "tensor_like.hpp"
#include "tensors.hpp"
#include "watched.hpp"

namespace ichdet::python {
namespace {

attribution::CamOptions cam_options(const std::string& method, bool aug_smooth, bool eigen_smooth) {
  attribution::CamOptions options;
  options.method = attribution::parse_cam_method(method);
  options.aug_smooth = aug_smooth;
  options.eigen_smooth = eigen_smooth;
  return options;
}

std::vector<SliceMap> slice_maps(const std::map<std::int64_t, Floats>& by_slice) {
  std::vector<SliceMap> maps;
  for (const auto& [slice, values] : by_slice) maps.push_back({slice, borrow<float, 2>(values)});
  return maps;
}

template <class Classifier>
Floats probabilities_of(const Classifier& classifier, const TensorLike& input) {
  at::Tensor rows;
  {
    const py::gil_scoped_release unlocked;
    rows = classifier.probabilities(input.floats());
  }
  return to_numpy(rows);
}

template <class Classifier>
void bind_common(py::class_<Classifier>& c, const char* shape) {
  const ClassifierOptions defaults;
  c.def(py::init([](const MembersArgument& members, const std::optional<CaseRule>& rule, int threads,
                    const std::string& precision, const std::string& engine, bool skip_empty, std::int64_t batch,
                    const std::optional<SkullStripper>& skull_strip, const std::string& device, double memory_mib,
                    const Path& cache_folder) {
          const py::gil_scoped_release unlocked;
          ClassifierOptions options;
          options.network = network_options(threads, precision, engine, device, memory_mib, cache_folder);
          options.skip_empty = skip_empty;
          options.batch = batch;
          options.rule = rule;
          options.skull_strip = skull_strip;
          return Classifier(open_members(members), options);
        }),
        py::arg("bundles"), py::kw_only(), py::arg("rule") = py::none(), py::arg("threads") = defaults.network.threads,
        py::arg("precision") = "auto", py::arg("engine") = "auto", py::arg("skip_empty") = defaults.skip_empty,
        py::arg("batch") = defaults.batch, py::arg("skull_strip") = py::none(),
        py::arg("device") = defaults.network.device, py::arg("memory_mib") = defaults.network.memory_mib,
        py::arg("cache_folder") = "");
  c.def_property_readonly("spec", &Classifier::spec, "The first member's: ichdet.ModelSpec.")
      .def_property_readonly("rule", &Classifier::rule, "From slices to patient: ichdet.CaseRule.")
      .def_property_readonly("classes", &class_names<Classifier>, "Names of what it tells apart, in its order.")
      .def_property_readonly("identities", &Classifier::identities, "The members': a list of ichdet.BundleIdentity.")
      .def(
          "__call__",
          [](const Classifier& classifier, const SliceStack& stack, const ProgressArgument& progress) {
            return watched(progress, [&](const Progress& tell) { return classifier(stack, tell); });
          },
          py::arg("stack"), py::kw_only(), py::arg("progress") = py::none(),
          R"(Ask about a study.

Parameters
----------
stack : ichdet.SliceStack
progress : None, True or callable
    True shows a bar of tqdm; a callable is given a stage's name and the fraction done.

Returns
-------
ichdet.StudyResult)")
      .def("probabilities", &probabilities_of<Classifier>, py::arg("images"), shape);
}

void bind_slices(py::module_& m) {
  py::class_<SliceClassifier> slices(
      m, "SliceClassifier",
      R"(Says of each slice whether it shows blood, and so of the patient. Load once, apply to many.

Several networks are averaged. Calls may run in several threads at once.

Parameters
----------
bundles : str, PathLike, ichdet.Bundle or Member, or a list of them
    Slice classifiers' bundles, by name (`ichdet models list`) or folder, and networks of your own.
rule : ichdet.CaseRule or None
    From slices to patient; None: the first bundle's.
threads : int
    Of the computation; 0: LibTorch's own choice.
precision : 'auto' (float32), 'float32' or 'bfloat16'
engine : 'auto', 'native', 'torch' or 'openvino'
skip_empty : bool
    Slices without head are given probability 0 and not computed.
batch : int
    Slices per call of a network.
skull_strip : SkullStripper or None
    Of channels that show the brain alone; None: brain_mask.
device : 'cpu', or 'cuda', 'cuda:1', ... where LibTorch has it
memory_mib : float
    A call whose activations would need more is refused; 0: no ceiling.
cache_folder : str or PathLike
    Where an engine may keep compiled networks; empty: nowhere.

Raises
------
ichdet.Error
    options: no bundle, one for another task, or members that read or answer different things; weights: weights that do
    not fit, or are not there.

Notes
-----
S1 to S3 of docs/classification.md: Cortes-Ferre et al., J. Imaging 9(2), 37 (2023), and others.

Examples
--------
>>> brightest = lambda images: torch.stack([0 * images.amax((1, 2, 3)), 9 * images.amax((1, 2, 3)) - 8], dim=1)
>>> classifier = ichdet.nn.SliceClassifier(ichdet.nn.Member(brightest, "s1", name="brightest"))
>>> stack = ichdet.phantom(seed=1, rows=64, columns=64, pixel_mm=3.5, slices=4, thickness_mm=30, subsamples=1).stack
>>> result = classifier(stack)
>>> [round(s.probability, 2) for s in result.slices], result.decision.positive
([0.73, 0.73, 0.73, 0.73], False)
>>> classifier.images(stack, [2]).shape
(1, 3, 512, 512))");
  bind_common(slices, R"(Ask the networks alone.

Parameters
----------
images : (image, channel, row, column), float32
    As `images` of a stack gives them; NumPy or torch, on the CPU.

Returns
-------
numpy.ndarray, (image, class), float32 in [0, 1])");
  slices
      .def(
          "images",
          [](const SliceClassifier& classifier, const SliceStack& stack,
             const std::optional<std::vector<std::int64_t>>& wanted) {
            at::Tensor batch;
            {
              const py::gil_scoped_release unlocked;
              std::vector<std::int64_t> all(std::size_t(stack.geometry.count()));
              for (std::size_t k = 0; k < all.size(); ++k) all[k] = std::int64_t(k);
              batch = SliceImages(stack, classifier.spec())(wanted.value_or(all));
            }
            return to_numpy(batch);
          },
          py::arg("stack"), py::arg("slices") = py::none(),
          "What the network reads of these slices, or of all: (image, channel, row, column), float32. SliceImages does "
          "it alone.")
      .def(
          "scores",
          [](const SliceClassifier& classifier, const SliceStack& stack, const ProgressArgument& progress) {
            return watched(progress, [&](const Progress& tell) { return classifier.scores(stack, tell); });
          },
          py::arg("stack"), py::kw_only(), py::arg("progress") = py::none(),
          "A list of ichdet.SliceScore, one for each slice: the sum of the probabilities of softmax classes that are "
          "blood, or the highest of such sigmoids.")
      .def(
          "heat_maps",
          [](const SliceClassifier& classifier, const SliceStack& stack, const std::vector<std::int64_t>& wanted,
             const std::string& method, bool aug_smooth, bool eigen_smooth, const ProgressArgument& progress) {
            const auto options = cam_options(method, aug_smooth, eigen_smooth);
            auto maps = watched(
                progress, [&](const Progress& tell) { return classifier.heat_maps(stack, wanted, options, tell); });
            py::typing::Dict<std::int64_t, Floats> by_slice;
            for (auto& map : maps) by_slice[py::int_(map.slice)] = lend(map.values);
            return by_slice;
          },
          py::arg("stack"), py::arg("slices"), py::arg("method") = "grad-cam", py::arg("aug_smooth") = false,
          py::arg("eigen_smooth") = false, py::kw_only(), py::arg("progress") = py::none(),
          R"(What spoke for blood on these slices: class activation maps, of several networks their mean.

Parameters
----------
stack : ichdet.SliceStack
slices : list of int
method : 'grad-cam', 'grad-cam++' or 'eigen-cam'
aug_smooth, eigen_smooth : bool
    As ichdet.attribution.grad_cam has them; both as in S1's figures.
progress : None, True or callable

Returns
-------
dict of int to numpy.ndarray
    By slice: its own (row, column), float32 in [0, 1].

Raises
------
ichdet.Error
    options: no such slice, or a Member that is not in two parts.)")
      .def(
          "write",
          [](const SliceClassifier&, const SliceStack& stack, const StudyResult& result, const Path& folder,
             const std::map<std::int64_t, Floats>& heat_maps) {
            const auto maps = slice_maps(heat_maps);
            const py::gil_scoped_release unlocked;
            write_classification(stack, result, maps, folder);
          },
          py::arg("stack"), py::arg("result"), py::arg("folder"),
          py::arg("heat_maps") = std::map<std::int64_t, Floats>(),
          "Write result.json, slices.csv and figure.png into a folder, as write_classification does.");
}

void bind_exams(py::module_& m) {
  py::class_<ExamImage>(m, "ExamImage", R"(One of the images that an exam was resliced to.

Examples
--------
>>> ichdet.nn.ExamImage.share.__doc__
'Of all evidence for blood in the exam, in [0, 1].')")
      .def_readonly("position", &ExamImage::position, "In the stack: a slice index with a fraction.")
      .def_readonly("slice", &ExamImage::slice, "Nearest to it.")
      .def_readonly("share", &ExamImage::share, "Of all evidence for blood in the exam, in [0, 1].")
      .def_property_readonly(
          "map", [](const ExamImage& image) { return lend(image.map); },
          "Where the evidence lies: (row, column) of that slice, float32 in [0, 1].");
  py::class_<ExamClassifier> exams(
      m, "ExamClassifier",
      R"(Says of a whole exam whether it shows blood: the stack, resliced to a number of images, into one network.

Arguments and errors are SliceClassifier's; `skip_empty` and `batch` are not used, and of the rule only
`case_threshold`. S5 of docs/classification.md.

Examples
--------
>>> spec = {"name": "mean", "task": "exam classification", "classes": [{"name": name, "blood": True} for name in ("any", "subdural")],
...         "input": {"orientation": "LPS", "size": [32, 32], "fit": "resize", "levels": "truncate", "exam_slices": 5,
...                   "channels": [{"clip_hu": [0, 80], "mean": 0, "std": 1}]},
...         "output": {"activation": "sigmoid"}, "decision": {"case_threshold": 0.5}}
>>> mean = lambda exams: exams.mean((1, 3, 4)).repeat(1, 2)  # (exam, image, channel, row, column) to (exam, class)
>>> classifier = ichdet.nn.ExamClassifier(ichdet.nn.Member(mean, spec))
>>> stack = ichdet.phantom(seed=1, rows=64, columns=64, pixel_mm=3.5, slices=4, thickness_mm=30, subsamples=1).stack
>>> result = classifier(stack)
>>> result.decision.positive, result.classes, classifier.images(stack).shape
(True, ['any', 'subdural'], (1, 5, 1, 32, 32)))");
  bind_common(exams, R"(Ask the networks alone.

Parameters
----------
images : (exam, image, channel, row, column), float32
    As `images` of a stack gives them; NumPy or torch, on the CPU.

Returns
-------
numpy.ndarray, (exam, class), float32 in [0, 1])");
  exams
      .def(
          "images",
          [](const ExamClassifier& classifier, const SliceStack& stack) {
            at::Tensor exam;
            {
              const py::gil_scoped_release unlocked;
              exam = SliceImages(stack, classifier.spec()).exam();
            }
            return to_numpy(exam);
          },
          py::arg("stack"), "What the network reads of a stack: (1, image, channel, row, column), float32.")
      .def(
          "best_images",
          [](const ExamClassifier& classifier, const SliceStack& stack, std::int64_t count, const std::string& method,
             bool eigen_smooth) {
            const auto options = cam_options(method, false, eigen_smooth);
            return watched(py::none(), [&](const Progress&) { return classifier.best_images(stack, count, options); });
          },
          py::arg("stack"), py::arg("count"), py::arg("method") = "grad-cam", py::kw_only(),
          py::arg("eigen_smooth") = attribution::CamOptions{}.eigen_smooth,
          "The `count` ExamImages with the most evidence for blood, the strongest first: class activation maps of each "
          "image's last feature map, through the recurrent layers. Of several networks, by the first.");
}

}  // namespace

void bind_classifier(py::module_& m) {
  bind_slices(m);
  bind_exams(m);
  const ClassificationOptions defaults;
  m.def(
      "write_classification",
      [](const SliceStack& stack, const StudyResult& result, const Path& folder,
         const std::map<std::int64_t, Floats>& maps, std::pair<double, double> window_hu, const std::string& map_name,
         std::int64_t tile_px, double low, double high, double opacity, double fade_in) {
        ClassificationOptions options;
        options.window = {window_hu.first, window_hu.second};
        options.heat_map = {low, high, opacity, fade_in};
        options.map_name = map_name;
        options.tile_px = tile_px;
        const auto shown = slice_maps(maps);
        const py::gil_scoped_release unlocked;
        write_classification(stack, result, shown, folder, options);
      },
      py::arg("stack"), py::arg("result"), py::arg("folder"), py::arg("maps") = std::map<std::int64_t, Floats>(),
      py::kw_only(), py::arg("window_hu") = std::pair(defaults.window.low_hu, defaults.window.high_hu),
      py::arg("map_name") = defaults.map_name, py::arg("tile_px") = defaults.tile_px,
      py::arg("low") = defaults.heat_map.low, py::arg("high") = defaults.heat_map.high,
      py::arg("opacity") = defaults.heat_map.opacity, py::arg("fade_in") = defaults.heat_map.fade_in,
      R"(Write what a classifier said of a study into a folder: figure.png, slices.csv and result.json.

An earlier result there is replaced; result.json comes last: where it is, the result is whole.

Parameters
----------
stack : ichdet.SliceStack
result : ichdet.StudyResult
folder : str or PathLike
    Made where it is missing.
maps : dict of int to (row, column) float32
    By slice, of the slices' own size, in [0, 1]: shown over them.
window_hu : (float, float)
    What is shown black and white, HU.
map_name : str
    What the colours are.
tile_px : int
    Width of a slice, pixels.
low, high, opacity, fade_in : float
    As ichdet.heat_map has them.

Raises
------
ichdet.Error
    io: a file cannot be written. shape: a map of another size. options: no such slice.

Examples
--------
>>> brightest = lambda images: torch.stack([0 * images.amax((1, 2, 3)), 9 * images.amax((1, 2, 3)) - 8], dim=1)
>>> classifier = ichdet.nn.SliceClassifier(ichdet.nn.Member(brightest, "s1", name="brightest"))
>>> stack = ichdet.phantom(seed=1, rows=64, columns=64, pixel_mm=3.5, slices=4, thickness_mm=30, subsamples=1).stack
>>> result = classifier(stack)
>>> import os
>>> with tempfile.TemporaryDirectory() as folder:
...     ichdet.nn.write_classification(stack, result, folder, {1: np.full((64, 64), 0.5, np.float32)})
...     sorted(os.listdir(folder))
['figure.png', 'result.json', 'slices.csv'])");
}

}  // namespace ichdet::python
