// After pybind11's own headers: torch's caster of at::Tensor.
#include "convert.hpp"
#include "ichdet/pipeline/open_detector.hpp"
#include "ichdet/train/judge.hpp"
#include "ichdet/train/judge_explanations.hpp"
#include "options.hpp"
#include "watched.hpp"

namespace ichdet::python {
namespace {

using train::ExplanationJudgeOptions;
using train::JudgedExplanations;
using train::JudgedSlice;

using Seen = std::optional<py::typing::Callable<py::object(JudgedSlice)>>;

void bind_results(py::module_& m) {
  py::class_<JudgedSlice>(m, "JudgedSlice", R"(One slice in the network's own image, and every method's map of it.

Examples
--------
>>> ichdet.attribution.JudgedSlice.maps.__doc__
"By method's name: (row, column), float32.")")
      .def_readonly("study", &JudgedSlice::study, "Of which study.")
      .def_readonly("slice", &JudgedSlice::slice, "Its index in the stack.")
      .def_readonly("probability", &JudgedSlice::probability, "Of blood, by the model.")
      .def_property_readonly(
          "hu", [](const JudgedSlice& slice) { return lend(slice.hu); }, "(1, row, column), float32, HU.")
      .def_property_readonly(
          "mask", [](const JudgedSlice& slice) { return lend(slice.mask); }, "(1, row, column), uint8.")
      .def_property_readonly(
          "maps",
          [](const JudgedSlice& slice) {
            std::map<std::string, py::array_t<float>> maps;
            for (const auto& map : slice.maps) maps[map.method] = lend(map.values)[py::int_(0)].cast<py::array_t<float>>();
            return maps;
          },
          "By method's name: (row, column), float32.");
  py::class_<JudgedExplanations>(m, "JudgedExplanations", R"(What methods of attribution are worth on a classifier.

Examples
--------
>>> ichdet.attribution.JudgedExplanations.blank.__doc__
'Mean probability of the slices with every pixel blanked.')")
      .def_readonly("outcomes", &JudgedExplanations::outcomes, "A list of ichdet.evaluate.MapOutcome.")
      .def_readonly("figures", &JudgedExplanations::figures, "A list of ichdet.evaluate.MethodFigures.")
      .def_readonly("target", &JudgedExplanations::target, "The class or classes that are explained.")
      .def_readonly("bundles", &JudgedExplanations::bundles, "A list of ichdet.BundleIdentity.")
      .def_readonly("blurred", &JudgedExplanations::blurred, "Mean probability of the slices under a wide blur.")
      .def_readonly("blank", &JudgedExplanations::blank, "Mean probability of the slices with every pixel blanked.")
      .def_readonly("studies", &JudgedExplanations::studies, "How many were judged.")
      .def_readonly("slices", &JudgedExplanations::slices, "How many were judged.")
      .def_readonly("notes", &JudgedExplanations::notes, "What was left out, a sentence each.");
}

}  // namespace

void bind_judge_explanations(py::module_& nn) {
  py::module_::import("ichdet._core");  // whose figures come out
  auto m = nn.def_submodule("attribution");
  bind_results(m);
  const ExplanationJudgeOptions defaults;
  const evaluate::BootstrapOptions bootstrap;
  m.def(
      "judge_explanations",
      [](const std::string& model, const Path& manifest, const std::vector<std::string>& methods,
         const std::string& split, std::int64_t slices, std::optional<double> threshold, double least_mm2,
         double tolerance_mm, bool curves, std::int64_t steps, double blur, bool random_weights, std::uint64_t seed,
         const std::optional<std::int64_t>& path_steps, const std::map<std::uint8_t, std::uint8_t>& mask_classes,
         std::int64_t resamples, int threads, const Seen& seen, const ProgressArgument& progress) {
        auto options = ExplanationJudgeOptions();
        for (const auto& name : methods) options.methods.push_back(attribution::parse_attribution_method(name));
        options.slices = slices;
        options.threshold = threshold;
        options.least_mm2 = least_mm2;
        options.tolerance_mm = tolerance_mm;
        options.curves = curves;
        options.steps = steps;
        options.blur = blur;
        options.random_weights = random_weights;
        options.seed = seed;
        if (path_steps) options.explain.path.steps = *path_steps;
        options.explain.network.threads = threads;
        train::PreparationOptions reading;
        reading.mask_classes = mask_classes;
        evaluate::BootstrapOptions drawn;
        drawn.resamples = resamples;
        std::function<void(const JudgedSlice&)> show;
        if (seen) {
          show = [&](const JudgedSlice& slice) {
            const py::gil_scoped_acquire locked;
            (*seen)(slice);
          };
        }
        return watched(progress, [&](const Progress& tell) {
          return train::judge_explanations(open_classifiers({model}), train::judged_studies(manifest, split), options,
                                           reading, drawn, tell, show);
        });
      },
      py::arg("model"), py::arg("manifest"), py::arg("methods") = attribution::attribution_methods(), py::kw_only(),
      py::arg("split") = "", py::arg("slices") = defaults.slices, py::arg("threshold") = py::none(),
      py::arg("least_mm2") = defaults.least_mm2, py::arg("tolerance_mm") = defaults.tolerance_mm,
      py::arg("curves") = defaults.curves, py::arg("steps") = defaults.steps, py::arg("blur") = defaults.blur,
      py::arg("random_weights") = defaults.random_weights, py::arg("seed") = defaults.seed,
      py::arg("path_steps") = py::none(), py::arg("mask_classes") = std::map<std::uint8_t, std::uint8_t>(),
      py::arg("resamples") = bootstrap.resamples, py::arg("threads") = defaults.explain.network.threads,
      py::arg("seen") = py::none(), py::arg("progress") = py::none(),
      R"(Which method of attribution to trust on a classifier: its maps of slices with blood, against masks.

Maps are compared with the reference masks, and by what the model says while the important pixels are put in, taken out
or come into focus. Beside the methods there are maps that know nothing of the model.

Parameters
----------
model : str
    A slice classifier's bundle, by name or folder, or an ensemble with one.
manifest : str or PathLike
    A CSV file of studies with masks: docs/training_data.md.
methods : list of str
    Of attribution_methods().
split : str
    The studies of this split alone; empty: all.
slices : int
    Of a patient, spread evenly over those that count; 0: all.
threshold : float or None
    A slice counts that the model gives at least this; None: the bundle's.
least_mm2 : float
    And whose mask is at least this large, mm2.
tolerance_mm : float
    Of pointing that is told as `near`.
curves : bool
    Insertion, deletion, information: many questions to the model.
steps : int
    Of insertion and deletion.
blur : float
    Sigma of what pixels are put into, as a share of the image's shorter side.
random_weights : bool
    Compares maps with those of the network with random weights, on one slice of a patient.
seed : int
    Of the random map and weights.
path_steps : int or None
    Of integrated gradients and XRAI; None: 100.
mask_classes : dict of int to int
    What a mask's values are: 1 for blood, 0 for none; empty: as they are.
resamples : int
    Of the bootstrap, which draws patients.
threads : int
    0: LibTorch's own choice.
seen : callable or None
    Shown each JudgedSlice.
progress : None, True or callable
    True shows a bar of tqdm; a callable is given a stage's name and the fraction done.

Returns
-------
JudgedExplanations

Raises
------
ichdet.Error
    options: no slice is left, or as SliceExplainer; io: the manifest.

Notes
-----
docs/attribution.md: what is measured, and what it came to on the model that comes with ichdet.

Examples
--------
>>> with tempfile.TemporaryDirectory() as folder:
...     with open(folder + "/m.csv", "w") as manifest:
...         _ = manifest.write("study,scan,mask\n")
...     try:
...         ichdet.attribution.judge_explanations("s1", folder + "/m.csv", ["grad-cam"])
...     except ichdet.Error as error:
...         print(type(error).__module__)
ichdet)");
}

}  // namespace ichdet::python
