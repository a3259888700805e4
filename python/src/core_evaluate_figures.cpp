#include <cmath>

#include "core_evaluate.hpp"
#include "ichdet/evaluate/explanation_figures.hpp"
#include "ichdet/evaluate/figures.hpp"
#include "ichdet/evaluate/model_choice.hpp"
#include "ichdet/report/explanation_figures.hpp"
#include "ichdet/report/figures.hpp"
#include "ichdet/report/model_card.hpp"
#include "json.hpp"
#include "watched.hpp"

namespace ichdet::python {

using namespace evaluate;

namespace {

using Outcomes = std::vector<StudyOutcome>;

StudyOutcome make_outcome(std::string study, const DoubleArray& probabilities, const std::optional<MaskRow>& blood,
                          const std::optional<MaskArray>& predicted, const std::optional<MaskArray>& truth,
                          const std::optional<DoubleArray>& pixel_ml, std::string patient, double probability,
                          const Named<MaskRow>& types, std::optional<bool> label) {
  StudyOutcome outcome;
  outcome.study = std::move(study);
  outcome.patient = std::move(patient);
  outcome.probability = probability;
  outcome.label = label;
  outcome.slices.resize(std::size_t(probabilities.size()));
  for (const auto& [name, shown] : types) outcome.types[name.cast<std::string>()] = shown.cast<MaskRow>().values;
  if (blood && blood->values.size() != outcome.slices.size()) {
    throw Error::mismatch(ErrorCode::shape, "study " + outcome.study + ", blood",
                          std::to_string(probabilities.size()) + " slices", std::to_string(blood->values.size()));
  }
  for (std::size_t s = 0; s < outcome.slices.size(); ++s) {
    outcome.slices[s].probability = probabilities.data()[s];
    if (blood) outcome.slices[s].blood = blood->values[s] != 0;
  }
  if (!predicted) return outcome;
  std::vector<double> ml(outcome.slices.size(), 0.001);
  if (pixel_ml && pixel_ml->size() == 1) ml.assign(ml.size(), *pixel_ml->data());
  if (pixel_ml && pixel_ml->size() != 1) ml.assign(pixel_ml->data(), pixel_ml->data() + pixel_ml->size());
  const py::gil_scoped_release unlocked;
  add_masks(outcome, predicted->mask, truth ? truth->mask : evaluate::Mask(), ml);
  return outcome;
}

/// A number of each slice.
template <class Value>
auto of_slices(Value value) {
  return [value](const StudyOutcome& outcome) {
    py::array_t<double> values(py::ssize_t(outcome.slices.size()));
    for (std::size_t s = 0; s < outcome.slices.size(); ++s) values.mutable_data()[s] = value(outcome.slices[s]);
    return values;
  };
}

void bind_outcomes(py::module_& m) {
  py::class_<StudyOutcome>(m, "StudyOutcome", R"(What a model said about a study, beside the truth; holds no voxels.

Parameters
----------
study : str
    Its name.
probabilities : (slices,) array
    Of blood, in [0, 1]; NaN where the model was not asked.
blood : (slices,) array, optional
    0 or 1 for each slice; None: what `truth` shows.
predicted, truth : (slices, rows, columns) array, optional
    Masks: what is not 0 is blood; contiguous bool and bytes are read in place.
pixel_ml : float or (slices,) array, optional
    A pixel's volume in mL; None: 0.001.
patient : str
    Several studies of one patient are drawn together; empty: the study.
probability : float
    Of the whole study; NaN: none was given.
types : dict of str to (slices,) array
    Blood type to 0 or 1 for each slice.
label : bool, optional
    Whether the study shows blood, where that is known though not of its slices.

Raises
------
ichdet.Error
    `shape`, where lengths or shapes differ.

Examples
--------
>>> truth = np.zeros((3, 8, 8), bool); truth[1, 2:6, 2:6] = True
>>> outcome = ichdet.evaluate.StudyOutcome("s1", [0.1, 0.8, 0.6], predicted=truth[:, ::-1], truth=truth, pixel_ml=0.01)
>>> outcome.blood, outcome.truth_ml, outcome.dice
(True, 0.16, 1.0)
>>> outcome.slice_blood, outcome.largest_lesion_ml
(array([0., 1., 0.]), array([0.  , 0.16, 0.  ])))")
      .def(py::init(&make_outcome), py::arg("study"), py::arg("probabilities"), py::arg("blood") = py::none(),
           py::arg("predicted") = py::none(), py::arg("truth") = py::none(), py::arg("pixel_ml") = py::none(),
           py::kw_only(), py::arg("patient") = "", py::arg_v("probability", undefined, "float('nan')"),
           py::arg("types") = py::dict(), py::arg("label") = py::none())
      .def_readonly("study", &StudyOutcome::study, "Its name.")
      .def_readonly("patient", &StudyOutcome::patient, "Whose it is; empty: the study is a patient.")
      .def_readonly("probability", &StudyOutcome::probability, "Of the whole study; NaN: none was given.")
      .def_readonly("label", &StudyOutcome::label, "The truth of the study as a whole, if it is known apart.")
      .def_property_readonly("blood", &StudyOutcome::blood, "Whether the study shows blood; None: not known.")
      .def_readonly("predicted_ml", &StudyOutcome::predicted_ml, "Volume of the predicted mask, mL; NaN without one.")
      .def_readonly("truth_ml", &StudyOutcome::truth_ml, "Volume of the true mask, mL; NaN without one.")
      .def_readonly("overlap", &StudyOutcome::overlap, "Of the masks; None without a true one.")
      .def_property_readonly(
          "dice", [](const StudyOutcome& o) { return o.overlap ? o.overlap->dice() : undefined; },
          "Of the masks; NaN without a true one.")
      .def_property_readonly(
          "types",
          [](const StudyOutcome& o) {
            std::map<std::string, py::array_t<std::uint8_t>> types;
            for (const auto& [name, shown] : o.types) types.try_emplace(name, py::ssize_t(shown.size()), shown.data());
            return types;
          },
          "Blood type to (slices,) uint8.")
      .def_property_readonly("probabilities", of_slices([](const SliceOutcome& s) { return s.probability; }),
                             "(slices,) float64: of blood; NaN where the model was not asked.")
      .def_property_readonly("slice_blood",
                             of_slices([](const SliceOutcome& s) { return s.blood ? double(*s.blood) : undefined; }),
                             "(slices,) float64: 0 or 1; NaN where it is not known.")
      .def_property_readonly("largest_lesion_ml", of_slices([](const SliceOutcome& s) { return s.largest_lesion_ml; }),
                             "(slices,) float64: the largest piece of the predicted mask on each slice alone, mL.")
      .def("__repr__", [](const StudyOutcome& o) {
        return "<ichdet.evaluate.StudyOutcome " + o.study + ", " + std::to_string(o.slices.size()) + " slices" +
               (o.overlap ? ", Dice " + few_digits(o.overlap->dice()) : "") + ">";
      });
  const FiguresOptions defaults;
  m.def(
      "figures",
      [](const Outcomes& outcomes, double threshold, double specificity, double lesion_ml, int bins, std::size_t worst,
         std::int64_t resamples, std::uint64_t seed, double confidence, int threads, const Report& progress) {
        FiguresOptions options{threshold, specificity, lesion_ml,
                               bins,      worst,       bootstrap_options(resamples, seed, confidence, threads)};
        const auto found = watched(progress, [&](const Progress& watching) {
          options.bootstrap.progress = watching;
          return figures(outcomes, options);
        });
        return JsonObject(to_python(to_json(found)));
      },
      py::arg("outcomes"), py::kw_only(), py::arg("threshold") = defaults.threshold,
      py::arg("specificity") = defaults.specificity, py::arg("lesion_ml") = defaults.lesion_ml,
      py::arg("bins") = defaults.bins, py::arg("worst") = defaults.worst,
      py::arg("resamples") = defaults.bootstrap.resamples, py::arg("seed") = defaults.bootstrap.seed,
      py::arg("confidence") = defaults.bootstrap.confidence, py::arg("threads") = defaults.bootstrap.threads,
      py::arg("progress") = py::none(),
      R"(What a segmenter or slice classifier is worth on studies with truth.

Parameters
----------
outcomes : list of StudyOutcome
    Each of a study with another name.
threshold : float
    A slice is called positive from this probability on.
specificity : float
    Sensitivity is also told at the threshold that leaves at least this.
lesion_ml : float
    A piece above it on a blood-free slice is a false lesion.
bins : int
    Of the calibration error.
worst : int
    How many of the worst cases are listed.
resamples, seed, confidence, threads
    Of the bootstrap, which draws patients.
progress : callable, optional
    Called with the stage's name and the fraction done.

Returns
-------
dict
    Dice, areas, rates, false lesions, volumes, calibration, blood types and the worst cases, each figure with its
    intervals; None where one cannot be told. docs/training.md tells the fields.

Raises
------
ichdet.Error
    `shape` without studies or slices, `options` where a probability is outside [0, 1] or two outcomes have one name.
KeyboardInterrupt
    Within a second of Ctrl-C.

Examples
--------
>>> outcomes = [ichdet.evaluate.StudyOutcome(f"s{i}", [0.1, 0.7, 0.2 + 0.1 * i], [0, 1, i % 2]) for i in range(4)]
>>> found = ichdet.evaluate.figures(outcomes, resamples=50)
>>> found["studies"], found["sensitivity"]["of"], round(found["slice_auc"]["value"], 3)
(4, [5, 6], 0.972))");
  m.def(
      "figures_markdown", [](const JsonObject& figures) { return figures_markdown(from_python(figures)); },
      py::arg("figures"),
      R"(The dict of `figures` as tables in Markdown.

Parameters
----------
figures : dict

Returns
-------
str

Raises
------
ichdet.Error
    `io`, where it is not what `figures` gives.

Examples
--------
>>> outcomes = [ichdet.evaluate.StudyOutcome(f"s{i}", [0.1, 0.7], [0, 1]) for i in range(4)]
>>> text = ichdet.evaluate.figures_markdown(ichdet.evaluate.figures(outcomes, resamples=50))
>>> print(next(line for line in text.splitlines() if "sensitivity" in line))
| slice sensitivity at 0.50 | 1.000 | 1.000 to 1.000 | 4 of 4 |)");
  const ModelChoiceOptions choice;
  m.def(
      "choose_model",
      [](const Outcomes& before, const Outcomes& after, double threshold, double tolerance, std::int64_t resamples,
         std::uint64_t seed, double confidence, int threads, const Report& progress) {
        ModelChoiceOptions options{threshold, tolerance, bootstrap_options(resamples, seed, confidence, threads)};
        const auto found = watched(progress, [&](const Progress& watching) {
          options.bootstrap.progress = watching;
          return choose_model(before, after, options);
        });
        return JsonObject(to_python(to_json(found)));
      },
      py::arg("before"), py::arg("after"), py::kw_only(), py::arg("threshold") = choice.threshold,
      py::arg("tolerance") = choice.tolerance, py::arg("resamples") = choice.bootstrap.resamples,
      py::arg("seed") = choice.bootstrap.seed, py::arg("confidence") = choice.bootstrap.confidence,
      py::arg("threads") = choice.bootstrap.threads, py::arg("progress") = py::none(),
      R"(Which of two versions of a model to keep, by Dice, AUC, sensitivity and specificity on the same studies.

Parameters
----------
before, after : list of StudyOutcome
    Of the same studies, in any order.
threshold : float
    A slice is called positive from this probability on.
tolerance : float
    No figure of a model that replaces another may be lower by more than this.
resamples, seed, confidence, threads
    Of the bootstrap, which draws patients in pairs.
progress : callable, optional
    Called with the stage's name and the fraction done.

Returns
-------
dict
    "keep": "new" or "old", "reason", and each figure's paired bootstrap, DeLong's and McNemar's tests.

Raises
------
ichdet.Error
    `options` that names a study which only one has, or whose slices or truth differ.
KeyboardInterrupt
    Within a second of Ctrl-C.

Notes
-----
S2 (VIOLA-AI) chooses by these four figures and gives no rule where they disagree. Ours: the new version is kept where
the figures' mean is higher, none is lower by more than `tolerance`, and no difference's interval lies wholly below 0.

Examples
--------
>>> studies = [(f"s{i}", [0, 1, i % 2]) for i in range(6)]
>>> before = [ichdet.evaluate.StudyOutcome(name, [0.4, 0.3, 0.6], blood) for name, blood in studies]
>>> after = [ichdet.evaluate.StudyOutcome(name, [0.1, 0.9, 0.2 + 0.6 * blood[2]], blood) for name, blood in studies]
>>> ichdet.evaluate.choose_model(before, after, resamples=50)["keep"]
'new')");
}

void bind_explanation_figures(py::module_& m) {
  const auto unmeasured = [](const char* name) { return py::arg_v(name, undefined, "float('nan')"); };
  py::class_<MapOutcome> outcome(m, "MapOutcome", R"(What one heat map of one slice is worth, for explanation_figures.

Parameters
----------
study, method : str
    Of which study, and how the map was made.
patient : str
    Empty: the study is a patient.
slice : int
    Index of the slice.
probability, mask_share, pointing, near, energy, precision, auc, insertion, deletion, information, random_weights,
seconds : float
    The figures of ichdet.attribution; shares are of the image's pixels. NaN: not measured.

Examples
--------
>>> outcome = ichdet.evaluate.MapOutcome("s1", "grad-cam", energy=0.4, auc=0.9)
>>> outcome.method, outcome.auc, outcome.pointing
('grad-cam', 0.9, nan))");
  outcome
      .def(py::init([](std::string study, std::string method, std::string patient, std::int64_t slice,
                       double probability, double mask_share, double pointing, double near, double energy,
                       double precision, double auc, double insertion, double deletion, double information,
                       double random_weights, double seconds) {
             return MapOutcome{std::move(study),
                               std::move(patient),
                               std::move(method),
                               slice,
                               probability,
                               mask_share,
                               pointing,
                               near,
                               energy,
                               precision,
                               auc,
                               insertion,
                               deletion,
                               information,
                               random_weights,
                               seconds};
           }),
           py::arg("study"), py::arg("method"), py::kw_only(), py::arg("patient") = "", py::arg("slice") = 0,
           unmeasured("probability"), unmeasured("mask_share"), unmeasured("pointing"), unmeasured("near"),
           unmeasured("energy"), unmeasured("precision"), unmeasured("auc"), unmeasured("insertion"),
           unmeasured("deletion"), unmeasured("information"), unmeasured("random_weights"), unmeasured("seconds"))
      .def_readonly("study", &MapOutcome::study, "Of which study.")
      .def_readonly("method", &MapOutcome::method, "How the map was made.")
      .def_readonly("patient", &MapOutcome::patient, "Of which patient.")
      .def_readonly("slice", &MapOutcome::slice, "Index of the slice.")
      .def_readonly("probability", &MapOutcome::probability, "Of blood, by the model. NaN: not measured.")
      .def_readonly("mask_share", &MapOutcome::mask_share, "Share of the reference mask. NaN: not measured.")
      .def_readonly("pointing", &MapOutcome::pointing,
                    "Whether the map's highest pixel lies in the mask: of equal ones the share. NaN: not measured.")
      .def_readonly("near", &MapOutcome::near, "The same, with a tolerance. NaN: not measured.")
      .def_readonly("energy", &MapOutcome::energy, "Share of the map's positive values in the mask. NaN: not measured.")
      .def_readonly("precision", &MapOutcome::precision,
                    "Of as many pixels as the mask has, the most important: the share in it. NaN: not measured.")
      .def_readonly("auc", &MapOutcome::auc, "The map as a classifier of pixels. NaN: not measured.")
      .def_readonly("insertion", &MapOutcome::insertion, "Area under the insertion curve. NaN: not measured.")
      .def_readonly("deletion", &MapOutcome::deletion, "Area under the deletion curve. NaN: not measured.")
      .def_readonly("information", &MapOutcome::information, "Area under the information curve. NaN: not measured.")
      .def_readonly("random_weights", &MapOutcome::random_weights,
                    "Correlation with the map of the network with random weights. NaN: not measured.")
      .def_readonly("seconds", &MapOutcome::seconds, "What the map took. NaN: not measured.");
  py::class_<MethodFigures>(m, "MethodFigures", R"(What a method's maps are worth; what explanation_figures returns.

Examples
--------
>>> maps = [ichdet.evaluate.MapOutcome(f"s{i}", "grad-cam", auc=0.8 + 0.02 * i) for i in range(5)]
>>> found = ichdet.evaluate.explanation_figures(maps, resamples=100)[0]
>>> found.method, found.maps, found.figures["auc"]
('grad-cam', 5, <ichdet.evaluate.Estimate auc 0.84>))")
      .def_readonly("method", &MethodFigures::method, "Its name.")
      .def_readonly("maps", &MethodFigures::maps, "How many maps.")
      .def_readonly("patients", &MethodFigures::patients, "Of how many patients.")
      .def_readonly("sameness", &MethodFigures::sameness,
                    "Mean rank correlation of maps of different patients; NaN where it was not measured.")
      .def_property_readonly(
          "figures",
          [](const MethodFigures& f) {
            std::map<std::string, Estimate> figures;
            for (const auto& one : f.figures) figures.emplace(one.name, one);
            return figures;
          },
          "The mean over patients of each figure, with its bootstrap interval.");
  const BootstrapOptions defaults;
  m.def(
      "explanation_figures",
      [](const std::vector<MapOutcome>& outcomes, std::int64_t resamples, std::uint64_t seed, double confidence,
         int threads, const Report& progress) {
        auto options = bootstrap_options(resamples, seed, confidence, threads);
        return watched(progress, [&](const Progress& watching) {
          options.progress = watching;
          return explanation_figures(outcomes, options);
        });
      },
      py::arg("outcomes"), py::kw_only(), py::arg("resamples") = defaults.resamples, py::arg("seed") = defaults.seed,
      py::arg("confidence") = defaults.confidence, py::arg("threads") = defaults.threads,
      py::arg("progress") = py::none(),
      R"(How good each method's heat maps are: the mean over patients of the mean over a patient's slices.

Parameters
----------
outcomes : list of MapOutcome
    Of all methods together.
resamples, seed, confidence, threads
    Of the bootstrap, which draws patients.
progress : callable, optional
    Called with the stage's name and the fraction done.

Returns
-------
list of MethodFigures
    In the order in which the methods first occur. What is NaN is left out of a figure.

Raises
------
ichdet.Error
    `shape` without outcomes, `options` where one is out of its range.
KeyboardInterrupt
    Within a second of Ctrl-C.

Examples
--------
>>> maps = [ichdet.evaluate.MapOutcome(f"s{i}", method, auc=auc + 0.02 * i)
...         for method, auc in (("grad-cam", 0.8), ("occlusion", 0.6)) for i in range(5)]
>>> found = ichdet.evaluate.explanation_figures(maps, resamples=100)
>>> [(one.method, round(one.figures["auc"].value, 2)) for one in found]
[('grad-cam', 0.84), ('occlusion', 0.64)])");
}

void bind_model_card(py::module_& m) {
  m.def(
      "model_card",
      [](std::string title, const std::vector<JsonObject>& bundles,
         const std::vector<py::typing::Optional<JsonObject>>& trainings, const Named<JsonObject>& figures,
         std::vector<std::string> data, std::vector<std::string> limits) {
        ModelCard card;
        card.title = std::move(title);
        for (const auto& bundle : bundles) card.bundles.push_back(from_python(bundle));
        for (const auto& training : trainings) card.trainings.push_back(from_python(training));
        for (const auto& [where, value] : figures) {
          card.figures.emplace_back(where.cast<std::string>(), from_python(py::reinterpret_borrow<py::object>(value)));
        }
        card.data = std::move(data);
        card.limits = std::move(limits);
        return model_card(card);
      },
      py::arg("title"), py::kw_only(), py::arg("bundles"), py::arg("trainings") = py::list(),
      py::arg("figures") = py::dict(), py::arg("data") = std::vector<std::string>{},
      py::arg("limits") = std::vector<std::string>{},
      R"(A model's README.md: what it is for and not for, figures with intervals, the worst cases by name, limits.

Parameters
----------
title : str
bundles : list of dict
    What bundle.json holds, of the model or of an ensemble's members.
trainings : list of dict or None
    Each one's record.json.
figures : dict of str to dict
    What it was measured on, in words, to what `figures` gave there.
data : list of str
    What it learned from, with licences and what the labels are: a sentence each.
limits : list of str
    What it cannot do: a sentence each.

Returns
-------
str
    Markdown. What nobody stated says so.

Raises
------
ichdet.Error
    `io` that names the field which is of another type.

Examples
--------
>>> card = ichdet.evaluate.model_card("Toy", bundles=[{"name": "toy", "version": "1"}], limits=["It is a toy."])
>>> card.splitlines()[0], "It is a toy." in card
('# Toy', True))");
}

}  // namespace

void bind_evaluate_figures(py::module_& m) {
  bind_outcomes(m);
  bind_explanation_figures(m);
  bind_model_card(m);
}

}  // namespace ichdet::python
