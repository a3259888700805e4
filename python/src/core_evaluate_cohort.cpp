#include <pybind11/stl/filesystem.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "core_evaluate.hpp"
#include "ichdet/core/version.hpp"
#include "ichdet/evaluate/cohort.hpp"
#include "ichdet/evaluate/evaluation.hpp"
#include "ichdet/report/evaluation.hpp"
#include "json.hpp"
#include "watched.hpp"

namespace ichdet::python {

using namespace evaluate;

namespace {

using Path = std::filesystem::path;
using Estimates = std::map<std::string, Estimate>;

Estimates by_name(const std::vector<Estimate>& estimates) {
  Estimates named;
  for (const auto& one : estimates) named.emplace(one.name, one);
  return named;
}

std::vector<double> numbers_of(const DoubleArray& values, const std::string& subject, std::size_t rows) {
  if (std::size_t(values.size()) != rows) {
    throw Error::mismatch(ErrorCode::shape, subject, std::to_string(rows) + " rows", std::to_string(values.size()));
  }
  return {values.data(), values.data() + values.size()};
}

Cohort make_cohort(const Named<LabelArray>& truth, const Named<Named<DoubleArray>>& models,
                   std::optional<std::vector<std::string>> ids, const std::optional<NameArray>& patients,
                   std::string unit, const std::optional<DoubleArray>& truth_volumes_ml,
                   const Named<DoubleArray>& volumes_ml) {
  Cohort cohort;
  cohort.unit = std::move(unit);
  for (const auto& [name, given] : truth) {
    const auto labels = given.cast<LabelArray>();
    const std::span<const std::uint8_t> values = labels;
    cohort.classes.push_back(name.cast<std::string>());
    cohort.truth.emplace_back(values.begin(), values.end());
    if (values.size() == cohort.truth.front().size()) continue;
    throw Error::mismatch(ErrorCode::shape, "cohort: truth of " + cohort.classes.back(),
                          std::to_string(cohort.truth.front().size()) + " rows", std::to_string(values.size()));
  }
  if (cohort.truth.empty()) throw Error(ErrorCode::options, "cohort: no class was given");
  const auto rows = cohort.truth.front().size();
  if (ids && ids->size() != rows) {
    throw Error::mismatch(ErrorCode::shape, "cohort: ids", std::to_string(rows), std::to_string(ids->size()));
  }
  for (std::size_t i = 0; i < rows; ++i) cohort.ids.push_back(ids ? (*ids)[i] : std::to_string(i));
  cohort.patient_of_row = patients_from(patients, rows);
  for (const auto number : cohort.patient_of_row) cohort.patients = std::max<std::int64_t>(cohort.patients, number + 1);
  for (const auto& [model_name, by_class] : models) {
    CohortModel model{model_name.cast<std::string>(), std::vector<std::vector<double>>(cohort.classes.size()), {}};
    for (const auto& [class_name, given] : by_class.cast<Named<DoubleArray>>()) {
      const auto name = class_name.cast<std::string>(), subject = "cohort: model " + model.name + ", " + name;
      const auto found = std::ranges::find(cohort.classes, name);
      if (found == cohort.classes.end()) throw Error(ErrorCode::options, subject + ": the truth has no such class");
      auto& into = model.probabilities[std::size_t(found - cohort.classes.begin())];
      into = numbers_of(given.cast<DoubleArray>(), subject, rows);
      const auto wrong = std::ranges::find_if(into, [](double p) { return !(p >= 0 && p <= 1); });
      if (wrong == into.end()) continue;
      throw Error::mismatch(ErrorCode::options, subject + ", row " + std::to_string(wrong - into.begin()), "0 to 1",
                            few_digits(*wrong));
    }
    cohort.models.push_back(std::move(model));
  }
  if (truth_volumes_ml) cohort.truth_volumes_ml = numbers_of(*truth_volumes_ml, "cohort: truth_volumes_ml", rows);
  for (const auto& [model_name, given] : volumes_ml) {
    const auto name = model_name.cast<std::string>();
    const auto found = std::ranges::find(cohort.models, name, &CohortModel::name);
    if (found == cohort.models.end()) throw Error(ErrorCode::options, "cohort: volumes_ml: there is no model " + name);
    found->volumes_ml = numbers_of(given.cast<DoubleArray>(), "cohort: volumes_ml of " + name, rows);
  }
  return cohort;
}

void bind_cohort(py::module_& m) {
  py::class_<Cohort>(m, "Cohort", R"(What models said about cases, beside the truth; evaluate_cohort takes it.

Parameters
----------
truth : dict of str to (rows,) array
    For each class 0 or 1.
models : dict of str to dict of str to (rows,) array
    For each model and class probabilities in [0, 1]; a model may leave classes out.
ids : list of str, optional
    Of the rows; None: numbers from 0.
patients : (rows,) array, optional
    The patient of each row, numbers or names; None: each row is a patient.
unit : str
    What a row is: "patient", "study" or "slice".
truth_volumes_ml : (rows,) array, optional
    mL; NaN where none was measured.
volumes_ml : dict of str to (rows,) array
    What models measured, mL; NaN where nothing.

Raises
------
ichdet.Error
    `shape` where lengths differ, `options` for a value out of its range or a name that the truth does not have.

Examples
--------
>>> cohort = ichdet.evaluate.Cohort(
...     {"any": [0, 0, 1, 1]}, {"a": {"any": [0.1, 0.4, 0.3, 0.9]}, "b": {"any": [0.2, 0.1, 0.8, 0.7]}},
...     patients=["p1", "p2", "p3", "p3"])
>>> cohort
<ichdet.evaluate.Cohort of 4 cases, 3 patients, classes any, models a, b>)")
      .def(py::init(&make_cohort), py::arg("truth"), py::arg("models"), py::kw_only(), py::arg("ids") = py::none(),
           py::arg("patients") = py::none(), py::arg("unit") = "study", py::arg("truth_volumes_ml") = py::none(),
           py::arg("volumes_ml") = py::dict())
      .def_readonly("unit", &Cohort::unit, "What a row is.")
      .def_readonly("ids", &Cohort::ids, "Of the rows.")
      .def_readonly("classes", &Cohort::classes, "The truth's classes.")
      .def_readonly("patients", &Cohort::patients, "How many there are.")
      .def_property_readonly("rows", &Cohort::rows, "How many cases there are.")
      .def_property_readonly(
          "models",
          [](const Cohort& c) {
            std::vector<std::string> names;
            for (const auto& model : c.models) names.push_back(model.name);
            return names;
          },
          "Names of the models.")
      .def_property_readonly(
          "patient_of_row", [](const Cohort& c) { return c.patient_of_row; }, "A number from 0 for each row.")
      .def(
          "truth",
          [](const Cohort& c, const std::string& name) {
            const auto found = std::ranges::find(c.classes, name);
            if (found == c.classes.end())
              throw Error::mismatch(ErrorCode::options, "cohort", "one of its classes", name);
            const auto& values = c.truth[std::size_t(found - c.classes.begin())];
            return py::array_t<std::uint8_t>(py::ssize_t(values.size()), values.data());
          },
          py::arg("class_name"), "(rows,) uint8: 0 or 1.")
      .def(
          "probabilities",
          [](const Cohort& c, const std::string& model, const std::string& name) {
            const auto whose = std::ranges::find(c.models, model, &CohortModel::name);
            const auto found = std::ranges::find(c.classes, name);
            if (whose == c.models.end())
              throw Error::mismatch(ErrorCode::options, "cohort", "one of its models", model);
            if (found == c.classes.end())
              throw Error::mismatch(ErrorCode::options, "cohort", "one of its classes", name);
            return to_numpy(whose->probabilities[std::size_t(found - c.classes.begin())]);
          },
          py::arg("model"), py::arg("class_name"), "(rows,) float64; empty where the model does not know the class.")
      .def_readonly("only_in_predictions", &Cohort::only_in_predictions, "Ids that the truth's file does not have.")
      .def_readonly("only_in_truth", &Cohort::only_in_truth, "Ids that the predictions' file does not have.")
      .def_readonly("notes", &Cohort::notes, "What was assumed to join the files.")
      .def("__len__", &Cohort::rows)
      .def("__repr__", [](const Cohort& c) {
        std::string text = "<ichdet.evaluate.Cohort of " + std::to_string(c.rows()) + " cases, " +
                           std::to_string(c.patients) + " patients, classes ";
        for (std::size_t i = 0; i < c.classes.size(); ++i) text += (i ? ", " : "") + c.classes[i];
        text += ", models ";
        for (std::size_t i = 0; i < c.models.size(); ++i) text += (i ? ", " : "") + c.models[i].name;
        return text + ">";
      });
  m.def(
      "read_cohort",
      [](const Path& predictions, const Path& truth, std::vector<std::string> models,
         std::vector<std::string> classes) {
        const py::gil_scoped_release release;
        return join_cohort(read_csv(predictions), read_csv(truth), {std::move(models), std::move(classes)});
      },
      py::arg("predictions"), py::arg("truth"), py::kw_only(), py::arg("models") = std::vector<std::string>{},
      py::arg("classes") = std::vector<std::string>{},
      R"(Joins two CSV files on those of the columns patient, study and slice that both have.

Parameters
----------
predictions, truth : path
    docs/evaluation.md tells the columns.
models, classes : list of str
    These alone, in this order; empty: all.

Returns
-------
Cohort
    Its rows are in the order of the truth.

Raises
------
ichdet.Error
    `io` that names file, line and column where a value or a name cannot be used, a row occurs twice or no row is in
    both; `options` where a chosen model or class does not exist.

Examples
--------
>>> import pathlib, tempfile
>>> with tempfile.TemporaryDirectory() as folder:
...     predictions, truth = pathlib.Path(folder, "predictions.csv"), pathlib.Path(folder, "truth.csv")
...     _ = predictions.write_text("study,model\ns1,0.9\ns2,0.2\n")
...     _ = truth.write_text("study,any\ns1,1\ns2,0\ns3,0\n")
...     cohort = ichdet.evaluate.read_cohort(predictions, truth)
>>> cohort.ids, cohort.only_in_truth
(['s1', 's2'], ['s3']))");
}

void bind_results(py::module_& m) {
  py::class_<Estimate>(m, "Estimate", R"(A figure with its intervals.

Examples
--------
>>> cohort = ichdet.evaluate.Cohort({"any": [0, 0, 1, 1] * 5}, {"a": {"any": [0.1, 0.4, 0.3, 0.9] * 5}})
>>> model = ichdet.evaluate.evaluate_cohort(cohort, resamples=100).models[0]
>>> model.areas["roc_auc"]
<ichdet.evaluate.Estimate roc_auc 0.75>
>>> model.thresholds[0].rates["specificity"].counts
<ichdet.evaluate.Proportion 10 / 10>)")
      .def_readonly("name", &Estimate::name, "Of the figure.")
      .def_readonly("value", &Estimate::value, "NaN where it is not defined.")
      .def_readonly("counts", &Estimate::counts, "Of rates, else None.")
      .def_property_readonly(
          "exact", [](const Estimate& e) { return pair_of(e.exact); },
          "(low, high): Clopper and Pearson's of a rate, DeLong's of a ROC area, else None.")
      .def_readonly("bootstrap", &Estimate::bootstrap, "Over resampled patients.")
      .def("__float__", [](const Estimate& e) { return e.value; })
      .def("__repr__",
           [](const Estimate& e) { return "<ichdet.evaluate.Estimate " + e.name + " " + few_digits(e.value) + ">"; });
  py::class_<ThresholdResult>(m, "ThresholdResult", R"(What decisions at one threshold are worth.

Examples
--------
>>> cohort = ichdet.evaluate.Cohort({"any": [0, 0, 1, 1]}, {"a": {"any": [0.1, 0.4, 0.3, 0.9]}})
>>> at = ichdet.evaluate.evaluate_cohort(cohort, thresholds=[0.2], resamples=10).models[0].thresholds[0]
>>> at.threshold, at.counts, float(at.rates["sensitivity"])
(0.2, <ichdet.evaluate.Confusion TP 2, FP 1, TN 1, FN 0>, 1.0))")
      .def_readonly("threshold", &ThresholdResult::threshold, "A case is positive from it on.")
      .def_readonly("counts", &ThresholdResult::counts, "The confusion matrix.")
      .def_property_readonly(
          "rates", [](const ThresholdResult& t) { return by_name(t.rates); },
          "accuracy, sensitivity, specificity, ppv, npv, f1.");
  py::class_<ModelResult>(m, "ModelResult", R"(One model's figures for one class.

Examples
--------
>>> cohort = ichdet.evaluate.Cohort({"any": [0, 0, 1, 1]}, {"a": {"any": [0.1, 0.4, 0.3, 0.9]}})
>>> model = ichdet.evaluate.evaluate_cohort(cohort, resamples=10).models[0]
>>> model.model, model.class_name, sorted(model.areas)
('a', 'any', ['average_precision', 'brier', 'pr_auc', 'roc_auc'])
>>> model.roc.true_positive_rate
array([0. , 0.5, 0.5, 1. , 1. ]))")
      .def_readonly("model", &ModelResult::model, "Its name.")
      .def_readonly("class_name", &ModelResult::class_name, "The class.")
      .def_readonly("positives", &ModelResult::positives, "Cases.")
      .def_readonly("negatives", &ModelResult::negatives, "Cases.")
      .def_property_readonly(
          "areas", [](const ModelResult& r) { return by_name(r.areas); }, "roc_auc, average_precision, pr_auc, brier.")
      .def_readonly("thresholds", &ModelResult::thresholds, "Rates at each threshold.")
      .def_readonly("calibration", &ModelResult::calibration, "The reliability diagram.")
      .def_readonly("difficult", &ModelResult::difficult, "Ids of S3's difficult cases (difficult_cases).")
      .def_readonly("roc", &ModelResult::roc, "The ROC curve.")
      .def_readonly("pr", &ModelResult::pr, "The precision-recall curve.")
      .def("__repr__", [](const ModelResult& r) {
        return "<ichdet.evaluate.ModelResult " + r.model + ", " + r.class_name + ": " + std::to_string(r.positives) +
               " positive, " + std::to_string(r.negatives) + " negative>";
      });
  py::class_<PairResult>(m, "PairResult", R"(Two models on one class.

Examples
--------
>>> cohort = ichdet.evaluate.Cohort({"any": [0, 0, 1, 1] * 3}, {"a": {"any": [0.1, 0.4, 0.3, 0.9] * 3},
...                                                            "b": {"any": [0.1, 0.2, 0.3, 0.9] * 3}})
>>> pair = ichdet.evaluate.evaluate_cohort(cohort, resamples=10).pairs[0]
>>> pair.a, pair.b, pair.delong
('a', 'b', <ichdet.evaluate.DelongTest 0.75 - 1 = -0.25, p = 0.1138>))")
      .def_readonly("class_name", &PairResult::class_name, "The class.")
      .def_readonly("a", &PairResult::a, "The first model's name.")
      .def_readonly("b", &PairResult::b, "The second's.")
      .def_readonly("delong", &PairResult::delong, "Test of equal ROC areas.")
      .def_readonly("difference", &PairResult::difference, "Of the ROC areas, a - b, over the same resamples.")
      .def_readonly("mcnemar", &PairResult::mcnemar, "Test of equal decisions, at each threshold.");
  py::class_<VolumeResult>(m, "VolumeResult", R"(One model's volumes against the truth's.

Examples
--------
>>> cohort = ichdet.evaluate.Cohort({"any": [0, 1, 1]}, {"a": {"any": [0.1, 0.7, 0.8]}},
...                                 truth_volumes_ml=[0, 10, 20], volumes_ml={"a": [1, 9, np.nan]})
>>> volumes = ichdet.evaluate.evaluate_cohort(cohort, resamples=10).volumes[0]
>>> volumes.measured_ml, volumes.reference_ml, volumes.left_out
(array([1., 9.]), array([ 0., 10.]), 1))")
      .def_readonly("model", &VolumeResult::model, "Its name.")
      .def_readonly("agreement", &VolumeResult::agreement, "Bland and Altman's figures, mL.")
      .def_property_readonly("measured_ml", array_in(&VolumeResult::measured_ml), "(cases,) float64, mL.")
      .def_property_readonly("reference_ml", array_in(&VolumeResult::reference_ml), "(cases,) float64, mL.")
      .def_readonly("left_out", &VolumeResult::left_out, "Rows where one of the two was not measured.");
  py::class_<Evaluation>(m, "Evaluation", R"(The papers' figures of a cohort, every one with its intervals.

Examples
--------
>>> cohort = ichdet.evaluate.Cohort({"any": [0, 0, 1, 1]}, {"a": {"any": [0.1, 0.4, 0.3, 0.9]}})
>>> found = ichdet.evaluate.evaluate_cohort(cohort, resamples=10)
>>> found.rows, found.patients, found.to_dict()["models"][0]["areas"]["roc_auc"]["value"]
(4, 4, 0.75))")
      .def_readonly("unit", &Evaluation::unit, "What a row is: patient, study or slice.")
      .def_readonly("rows", &Evaluation::rows, "Cases.")
      .def_readonly("patients", &Evaluation::patients, "Patients.")
      .def_readonly("only_in_predictions", &Evaluation::only_in_predictions, "Ids that the truth does not have.")
      .def_readonly("only_in_truth", &Evaluation::only_in_truth, "Ids that the predictions do not have.")
      .def_readonly("models", &Evaluation::models, "A ModelResult for each class and model, by class, then by model.")
      .def_readonly("pairs", &Evaluation::pairs, "A PairResult for each class and two models.")
      .def_readonly("volumes", &Evaluation::volumes, "A VolumeResult for each model that measures.")
      .def_readonly("notes", &Evaluation::notes, "What a reader of the figures must know.")
      .def(
          "to_dict", [](const Evaluation& e) { return JsonObject(to_python(to_json(e))); },
          "Every figure, as `ichdet evaluate --json` prints them; what is not defined is None.")
      .def(
          "summary", [](const Evaluation& e) { return summary(e); }, "The figures as tables of text.")
      .def(
          "html_page",
          [](const Evaluation& e, std::string title) {
            PageOptions options;
            options.title = std::move(title);
            options.made_by = "ichdet " + std::string(version);
            return html_page(e, options);
          },
          py::arg("title") = PageOptions{}.title, "One self-contained page with tables and diagrams.")
      .def("__repr__", [](const Evaluation& e) {
        return "<ichdet.evaluate.Evaluation of " + std::to_string(e.rows) + " cases, " + std::to_string(e.patients) +
               " patients>";
      });
}

EvaluationOptions evaluation_options(std::vector<double> thresholds, int bins, double confidence,
                                     std::int64_t resamples, std::uint64_t seed, int threads) {
  return {std::move(thresholds), bins, bootstrap_options(resamples, seed, confidence, threads)};
}

Evaluation watched_evaluation(const Cohort& cohort, EvaluationOptions options, const Report& progress) {
  return watched(progress, [&](const Progress& watching) {
    options.bootstrap.progress = watching;
    return evaluate_cohort(cohort, options);
  });
}

void bind_evaluations(py::module_& m) {
  const EvaluationOptions defaults;
  m.def(
      "evaluate_cohort",
      [](const Cohort& cohort, std::vector<double> thresholds, int bins, double confidence, std::int64_t resamples,
         std::uint64_t seed, int threads, const Report& progress) {
        return watched_evaluation(
            cohort, evaluation_options(std::move(thresholds), bins, confidence, resamples, seed, threads), progress);
      },
      py::arg("cohort"), py::kw_only(), py::arg("thresholds") = defaults.thresholds, py::arg("bins") = defaults.bins,
      py::arg("confidence") = defaults.bootstrap.confidence, py::arg("resamples") = defaults.bootstrap.resamples,
      py::arg("seed") = defaults.bootstrap.seed, py::arg("threads") = defaults.bootstrap.threads,
      py::arg("progress") = py::none(),
      R"(The papers' figures of a cohort, every one with its intervals.

Parameters
----------
cohort : Cohort
thresholds : list of float
    A case is called positive from these probabilities on.
bins : int
    Of the reliability diagram.
confidence : float
    Of every interval, in (0, 1).
resamples, seed : int
    Of the bootstrap, which draws patients, one set of resamples for all models of a class.
threads : int
    0: as many as the machine has. The result does not depend on it.
progress : callable, optional
    Called with the stage's name and the fraction done.

Returns
-------
Evaluation

Raises
------
ichdet.Error
    `options`, where one is out of its range.
KeyboardInterrupt
    Within a second of Ctrl-C.

Examples
--------
>>> rng = np.random.default_rng(1)
>>> truth = rng.integers(0, 2, 60)
>>> models = {name: {"any": ichdet.evaluate.normal_cdf(truth * skill - 1 + rng.normal(size=60))}
...           for name, skill in (("weak", 0.8), ("strong", 3))}
>>> found = ichdet.evaluate.evaluate_cohort(ichdet.evaluate.Cohort({"any": truth}, models), resamples=100)
>>> [(model.model, round(model.areas["roc_auc"].value, 2)) for model in found.models]
[('weak', 0.81), ('strong', 0.98)]
>>> found.pairs[0].delong.p_value < 0.05
True)");
  m.def(
      "evaluate_files",
      [](const Path& predictions, const Path& truth, std::vector<double> thresholds, std::vector<std::string> models,
         std::vector<std::string> classes, double confidence, std::int64_t resamples, std::uint64_t seed, int bins,
         int threads, const Report& progress) {
        const auto cohort = [&] {
          const py::gil_scoped_release release;
          return join_cohort(read_csv(predictions), read_csv(truth), {std::move(models), std::move(classes)});
        }();
        return watched_evaluation(
            cohort, evaluation_options(std::move(thresholds), bins, confidence, resamples, seed, threads), progress);
      },
      py::arg("predictions"), py::arg("truth"), py::kw_only(), py::arg("thresholds") = defaults.thresholds,
      py::arg("models") = std::vector<std::string>{}, py::arg("classes") = std::vector<std::string>{},
      py::arg("confidence") = defaults.bootstrap.confidence, py::arg("resamples") = defaults.bootstrap.resamples,
      py::arg("seed") = defaults.bootstrap.seed, py::arg("bins") = defaults.bins,
      py::arg("threads") = defaults.bootstrap.threads, py::arg("progress") = py::none(),
      R"(Joins two CSV files and evaluates them, as `ichdet evaluate` does.

Parameters
----------
predictions, truth : path
    docs/evaluation.md tells the columns.
thresholds : list of float
    A case is called positive from these probabilities on.
models, classes : list of str
    Evaluate these alone; empty: all.
confidence, resamples, seed, bins, threads, progress
    As for evaluate_cohort.

Returns
-------
Evaluation

Raises
------
ichdet.Error
    `io` that names file, line and column, `options` where one is out of its range.
KeyboardInterrupt
    Within a second of Ctrl-C.

Examples
--------
>>> import pathlib, tempfile
>>> with tempfile.TemporaryDirectory() as folder:
...     predictions, truth = pathlib.Path(folder, "predictions.csv"), pathlib.Path(folder, "truth.csv")
...     _ = predictions.write_text("study,model\ns1,0.9\ns2,0.2\ns3,0.4\n")
...     _ = truth.write_text("study,any\ns1,1\ns2,0\ns3,0\n")
...     found = ichdet.evaluate.evaluate_files(predictions, truth, resamples=20)
>>> found.models[0].thresholds[0].counts
<ichdet.evaluate.Confusion TP 1, FP 0, TN 2, FN 0>)");
}

}  // namespace

void bind_evaluate_cohort(py::module_& m) {
  bind_cohort(m);
  bind_results(m);
  bind_evaluations(m);
}

}  // namespace ichdet::python
