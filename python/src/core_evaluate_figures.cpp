#include <cmath>

#include "core_evaluate.hpp"
#include "ichdet/evaluate/drift.hpp"
#include "ichdet/evaluate/figures.hpp"
#include "ichdet/evaluate/model_choice.hpp"
#include "ichdet/report/drift.hpp"
#include "ichdet/report/figures.hpp"
#include "ichdet/report/json.hpp"
#include "ichdet/report/model_card.hpp"
#include "json.hpp"

namespace ichdet::python {

using namespace evaluate;

namespace {

using ByteArray = py::array_t<std::uint8_t, py::array::c_style | py::array::forcecast>;
using Types = std::map<std::string, std::vector<std::uint8_t>>;

StudyOutcome make_outcome(std::string study, const DoubleArray& probabilities, const std::optional<ByteArray>& blood,
                          const std::optional<ByteArray>& predicted, const std::optional<ByteArray>& truth,
                          const std::optional<DoubleArray>& pixel_ml, std::string patient, double probability,
                          Types types, std::optional<bool> label) {
  StudyOutcome outcome;
  outcome.study = std::move(study);
  outcome.patient = std::move(patient);
  outcome.probability = probability;
  outcome.types = std::move(types);
  outcome.label = label;
  outcome.slices.resize(std::size_t(probabilities.size()));
  if (blood && blood->size() != probabilities.size()) {
    throw Error::mismatch(ErrorCode::shape, "study " + outcome.study + ", blood",
                          std::to_string(probabilities.size()) + " slices", std::to_string(blood->size()));
  }
  for (std::size_t s = 0; s < outcome.slices.size(); ++s) {
    outcome.slices[s].probability = probabilities.data()[s];
    if (blood) outcome.slices[s].blood = blood->data()[s] != 0;
  }
  if (!predicted) return outcome;
  std::vector<double> ml(outcome.slices.size(), 0.001);
  if (pixel_ml && pixel_ml->size() == 1) ml.assign(ml.size(), *pixel_ml->data());
  if (pixel_ml && pixel_ml->size() != 1) ml.assign(pixel_ml->data(), pixel_ml->data() + pixel_ml->size());
  add_masks(outcome, borrow<std::uint8_t, 3>(*predicted), truth ? borrow<std::uint8_t, 3>(*truth) : Mask(), ml);
  return outcome;
}

void bind_outcomes(py::module_& m) {
  py::class_<StudyOutcome>(m, "StudyOutcome", "What a model said about a study, beside the truth; holds no voxels.")
      .def(py::init(&make_outcome), py::arg("study"), py::arg("probabilities"), py::arg("blood") = py::none(),
           py::arg("predicted") = py::none(), py::arg("truth") = py::none(), py::arg("pixel_ml") = py::none(),
           py::kw_only(), py::arg("patient") = "", py::arg("probability") = undefined, py::arg("types") = Types{},
           py::arg("label") = py::none(), R"(
Parameters
----------
probabilities : of blood, for each slice; NaN where it was not asked about
blood : 0 or 1 for each slice; where it is left out, what `truth` shows
predicted, truth : masks (slice, row, column), anything but 0 is blood
pixel_ml : a pixel's volume in mL, one number or one for each slice; 0.001 where it is left out
patient : several studies of one patient are drawn together; where it is empty, the study
probability : of the whole study
types : blood type -> 0 or 1 for each slice
label : whether the study shows blood, where that is known though not of its slices)")
      .def_readonly("study", &StudyOutcome::study)
      .def_readonly("probability", &StudyOutcome::probability)
      .def_property_readonly("blood", &StudyOutcome::blood, "Whether the study shows blood; None: not known.")
      .def_readonly("predicted_ml", &StudyOutcome::predicted_ml)
      .def_readonly("truth_ml", &StudyOutcome::truth_ml)
      .def_property_readonly("dice", [](const StudyOutcome& o) { return o.overlap ? o.overlap->dice() : undefined; });
  m.def(
      "figures",
      [](const std::vector<StudyOutcome>& outcomes, double threshold, double specificity, double lesion_ml, int bins,
         std::size_t worst, std::int64_t resamples, std::uint64_t seed, double confidence, int threads) {
        return to_python(to_json(figures(outcomes, {threshold, specificity, lesion_ml, bins, worst,
                                                    bootstrap_options(resamples, seed, confidence, threads)})));
      },
      py::arg("outcomes"), py::kw_only(), py::arg("threshold") = 0.5, py::arg("specificity") = 0.95,
      py::arg("lesion_ml") = 0.2, py::arg("bins") = 10, py::arg("worst") = 10, py::arg("resamples") = 2000,
      py::arg("seed") = 0, py::arg("confidence") = 0.95, py::arg("threads") = 0,
      R"(What a model is worth on studies with truth, as a dict: Dice, areas, rates, false lesions, volumes, calibration,
blood types and the worst cases, with bootstrap intervals that draw patients; docs/training.md tells the fields.)");
  m.def(
      "figures_markdown", [](const py::object& figures) { return figures_markdown(from_python(figures)); },
      py::arg("figures"), "The dict of `figures` as tables.");
  m.def(
      "choose_model",
      [](const std::vector<StudyOutcome>& before, const std::vector<StudyOutcome>& after, double threshold,
         double tolerance, std::int64_t resamples, std::uint64_t seed, double confidence, int threads) {
        return to_python(to_json(choose_model(
            before, after, {threshold, tolerance, bootstrap_options(resamples, seed, confidence, threads)})));
      },
      py::arg("before"), py::arg("after"), py::kw_only(), py::arg("threshold") = 0.5, py::arg("tolerance") = 0.01,
      py::arg("resamples") = 2000, py::arg("seed") = 0, py::arg("confidence") = 0.95, py::arg("threads") = 0,
      R"(Which of two versions of a model to keep, by Dice, AUC, sensitivity and specificity on the same studies: a dict
with `keep` ("new" or "old"), `reason`, each figure's paired bootstrap, DeLong's and McNemar's tests.)");
}

void bind_model_card(py::module_& m) {
  m.def(
      "model_card",
      [](std::string title, const std::vector<py::object>& bundles, const std::vector<py::object>& trainings,
         const std::map<std::string, py::object>& figures, std::vector<std::string> data,
         std::vector<std::string> limits) {
        ModelCard card;
        card.title = std::move(title);
        for (const auto& bundle : bundles) card.bundles.push_back(from_python(bundle));
        for (const auto& training : trainings) card.trainings.push_back(from_python(training));
        for (const auto& [where, value] : figures) card.figures.emplace_back(where, from_python(value));
        card.data = std::move(data);
        card.limits = std::move(limits);
        return model_card(card);
      },
      py::arg("title"), py::kw_only(), py::arg("bundles"), py::arg("trainings") = std::vector<py::object>{},
      py::arg("figures") = std::map<std::string, py::object>{}, py::arg("data") = std::vector<std::string>{},
      py::arg("limits") = std::vector<std::string>{},
      R"(A model's README.md.

Parameters
----------
bundles : what bundle.json holds, of the model or of an ensemble's members
trainings : each one's record.json, or None
figures : what it was measured on, in words -> the dict of `figures`; in alphabetical order
data : what it learned from, with licences and what the labels are: a sentence each
limits : what it cannot do: a sentence each)");
}

void bind_drift(py::module_& m) {
  m.def(
      "kolmogorov_smirnov",
      [](const DoubleArray& a, const DoubleArray& b) {
        const auto test = kolmogorov_smirnov(span_of(a), span_of(b));
        return py::make_tuple(test.statistic, test.p_value);
      },
      py::arg("a"), py::arg("b"), "(statistic, p): two-sided, as scipy.stats.ks_2samp(method=\"exact\").");
  m.def(
      "population_stability",
      [](const DoubleArray& reference, const DoubleArray& found, int bins) {
        return population_stability(span_of(reference), span_of(found), bins).value;
      },
      py::arg("reference"), py::arg("found"), py::arg("bins") = 10,
      "Over bins between the reference's quantiles; below 0.1 is stable, above 0.25 a shift.");
  m.def(
      "fisher_exact",
      [](std::int64_t a, std::int64_t of_a, std::int64_t b, std::int64_t of_b) {
        return fisher_exact({a, of_a}, {b, of_b});
      },
      py::arg("a"), py::arg("of_a"), py::arg("b"), py::arg("of_b"), "p of equal rates, two-sided.");
  m.def(
      "drift",
      [](const std::vector<std::string>& reference, const std::vector<std::string>& results, std::uint64_t seed) {
        const auto read = [](const std::vector<std::string>& paths) {
          std::vector<StudyScores> scores;
          for (const auto& path : paths) scores.push_back(scores_of(path, read_result(path)));
          return scores;
        };
        return to_python(to_json(drift(read(reference), read(results), seed)));
      },
      py::arg("reference"), py::arg("results"), py::kw_only(), py::arg("seed") = 0,
      "Compares the result.json files of new studies with those of a validation set, as `ichdet monitor` does: a "
      "dict.");
}

}  // namespace

void bind_evaluate_figures(py::module_& m) {
  bind_outcomes(m);
  bind_model_card(m);
  bind_drift(m);
}

}  // namespace ichdet::python
