#include <cmath>
#include <variant>

#include "core_ensemble.hpp"
#include "ichdet/aggregate/case_rules.hpp"
#include "ichdet/aggregate/review.hpp"

namespace ichdet::python {
namespace {

using ModelState = py::typing::Tuple<double, std::vector<double>>;
using RuleState = py::typing::Tuple<std::string, double, double, double, std::int64_t, LogisticModel>;
using Offsets = py::array_t<std::int64_t, py::array::c_style | py::array::forcecast>;

void bind_logistic(py::module_& m) {
  py::class_<LogisticModel>(m, "LogisticModel", R"(probability = 1 / (1 + exp(-(intercept + weights . features))).

Parameters
----------
intercept : float
weights : list of float
    One for each feature.

Examples
--------
>>> model = ichdet.LogisticModel(-1.0, [2.0, 0.5])
>>> model([0.5, 0.0])
0.5
>>> model([[0.5, 0.0], [2.0, 1.0]]).round(3)
array([0.5  , 0.971]))")
      .def(py::init([](double intercept, std::vector<double> weights) {
             return LogisticModel{intercept, std::move(weights)};
           }),
           py::arg("intercept") = LogisticModel{}.intercept, py::arg("weights") = LogisticModel{}.weights)
      .def_readwrite("intercept", &LogisticModel::intercept, "Of the logit.")
      .def_readwrite("weights", &LogisticModel::weights, "One for each feature.")
      .def(
          "__call__",
          [](const LogisticModel& model, const DoubleArray& features) -> std::variant<double, py::array_t<double>> {
            if (features.ndim() < 2) return model(span_of(features));
            const auto values = table_of(features, "logistic model: features");
            const auto rows = std::size_t(features.shape(0)), columns = std::size_t(features.shape(1));
            py::array_t<double> probabilities{py::ssize_t(rows)};
            auto* into = probabilities.mutable_data();
            for (std::size_t row = 0; row < rows; ++row) into[row] = model(values.subspan(row * columns, columns));
            return probabilities;
          },
          py::arg("features"),
          "The probability of (features,), or a (rows,) float64 array of (rows, features). Raises ichdet.Error (shape) "
          "unless there are as many features as weights.")
      .def(py::pickle(
          [](const LogisticModel& model) { return ModelState(py::make_tuple(model.intercept, model.weights)); },
          [](const ModelState& state) {
            return LogisticModel{state[0].cast<double>(), state[1].cast<std::vector<double>>()};
          }))
      .def("__repr__", [](const LogisticModel& model) {
        std::string text = "<ichdet.LogisticModel " + few_digits(model.intercept);
        for (const double weight : model.weights)
          text += (weight < 0 ? " - " : " + ") + few_digits(std::abs(weight)) + " x";
        return text + ">";
      });
  const LogisticFitOptions defaults;
  m.def(
      "fit_logistic",
      [](const DoubleArray& features, const LabelArray& truth, double l2, int max_iterations, double tolerance) {
        const auto values = table_of(features, "fit_logistic: features");
        if (std::size_t(features.shape(0)) != truth.size()) {
          throw Error::mismatch(ErrorCode::shape, "fit_logistic: truth", std::to_string(features.shape(0)) + " rows",
                                std::to_string(truth.size()));
        }
        const auto unlocked = unlocked_for(values.size());
        return fit_logistic(values, truth, {l2, max_iterations, tolerance});
      },
      py::arg("features"), py::arg("truth"), py::arg("l2") = defaults.l2,
      py::arg("max_iterations") = defaults.max_iterations, py::arg("tolerance") = defaults.tolerance,
      R"(The minimum of log loss + l2 / 2 |weights|^2, by Newton's method.

Parameters
----------
features : (rows, columns) array
    Finite; contiguous float64 is read in place.
truth : (rows,) array
    0 or 1; bool and uint8 are read in place.
l2 : float
    Strength of the penalty, above 0; the intercept is free.
max_iterations : int
tolerance : float
    The largest slope of the loss that counts as 0, relative to the number of rows.

Returns
-------
LogisticModel

Raises
------
ichdet.Error
    `shape` where sizes disagree, `options` where an option is out of range, a feature is not finite, the truth is all
    of one kind, or max_iterations do not suffice.

Notes
-----
The minimum is unique; scikit-learn's LogisticRegression with C = 1 / l2 has the same one.

Examples
--------
>>> model = ichdet.fit_logistic([[0.1], [0.4], [0.6], [0.9]], [0, 0, 1, 1])
>>> model
<ichdet.LogisticModel -0.2305 + 0.4609 x>)");
  m.attr("case_feature_names") = [] {
    py::list names;
    for (const auto name : case_feature_names) names.append(py::str(name.data(), name.size()));
    return py::tuple(names);
  }();
  m.def(
      "case_features",
      [](const DoubleArray& probabilities) {
        const auto values = case_features(span_of(probabilities));
        return py::array_t<double>(py::ssize_t(values.size()), values.data());
      },
      py::arg("probabilities"),
      R"(What the learned case rule reads of one case's slices.

Parameters
----------
probabilities : (slices,) array
    In [0, 1]; float64 is read in place.

Returns
-------
(4,) float64 array
    In the order of `ichdet.case_feature_names`; without slices all 0.

Examples
--------
>>> dict(zip(ichdet.case_feature_names, ichdet.case_features([0.1, 0.2, 0.9, 0.6]).round(3).tolist()))
{'highest probability': 0.9, 'mean of the three highest': 0.567, 'share of slices above 0.5': 0.5, 'mean': 0.45})");
}

void bind_rule(py::module_& m) {
  const CaseRule defaults;
  py::class_<CaseRule>(m, "CaseRule", R"(From the probabilities of a study's slices to a decision about the patient.

A slice is positive above `slice_threshold`; the patient is positive where the case's score is above `threshold`. Both
strictly, as in S1 ("P > 0.8").

Parameters
----------
kind : str
    "percent": S1's n % rule, the k-th highest probability, k = positives_needed(slices, percent). "maximum": the
    highest. "noisy-or": 1 - (1 - p1)(1 - p2)... "top-mean": the mean of the `top` highest. "logistic": a learned model
    of case_features.
slice_threshold : float
    In [0, 1]. With "percent" it is the case's threshold too: k positive slices are a k-th highest one above it.
case_threshold : float
    In [0, 1]; unused with "percent".
percent : float
    Of all slices, those without head too; in (0, 100].
top : int
    Of "top-mean", how many of the highest.
logistic : LogisticModel
    Of case_features.

Raises
------
ichdet.Error
    `options` that names the field which is out of its range.

Examples
--------
>>> rule = ichdet.CaseRule("percent", percent=10, slice_threshold=0.8)
>>> slices = np.array([0.1] * 27 + [0.7, 0.9, 0.95])
>>> ichdet.case_score(slices, rule), ichdet.case_score(slices, rule) > rule.threshold
(0.7, False)
>>> ichdet.case_score(slices, ichdet.CaseRule("maximum"))
0.95)")
      .def(py::init([](const std::string& kind, double slice_threshold, double case_threshold, double percent,
                       std::int64_t top, LogisticModel logistic) {
             CaseRule rule{parse_case_rule(kind), slice_threshold, case_threshold, percent, top, std::move(logistic)};
             check(rule);
             return rule;
           }),
           py::arg("kind") = to_string(defaults.kind), py::kw_only(),
           py::arg("slice_threshold") = defaults.slice_threshold, py::arg("case_threshold") = defaults.case_threshold,
           py::arg("percent") = defaults.percent, py::arg("top") = defaults.top,
           py::arg_v("logistic", defaults.logistic, "LogisticModel()"))
      .def_property_readonly(
          "kind", [](const CaseRule& rule) { return to_string(rule.kind); }, "percent, maximum, noisy-or, ...")
      .def_readonly("slice_threshold", &CaseRule::slice_threshold, "A slice is positive above it.")
      .def_readonly("case_threshold", &CaseRule::case_threshold, "But for the n % rule, the case is positive above it.")
      .def_readonly("percent", &CaseRule::percent, "Of the n % rule.")
      .def_readonly("top", &CaseRule::top, "Of top-mean.")
      .def_readonly("logistic", &CaseRule::logistic, "Of the learned rule.")
      .def_property_readonly("threshold", &CaseRule::threshold, "What the case's score has to be above.")
      .def(py::pickle(
          [](const CaseRule& rule) {
            return RuleState(py::make_tuple(to_string(rule.kind), rule.slice_threshold, rule.case_threshold,
                                            rule.percent, rule.top, rule.logistic));
          },
          [](const RuleState& state) {
            return CaseRule{parse_case_rule(state[0].cast<std::string>()),
                            state[1].cast<double>(),
                            state[2].cast<double>(),
                            state[3].cast<double>(),
                            state[4].cast<std::int64_t>(),
                            state[5].cast<LogisticModel>()};
          }))
      .def("__repr__", [](const CaseRule& rule) {
        return "<ichdet.CaseRule " + to_string(rule.kind) +
               (rule.kind == CaseRuleKind::percent ? " " + few_digits(rule.percent) : "") + ", above " +
               few_digits(rule.threshold()) + ">";
      });
  m.def("positives_needed", &positives_needed, py::arg("slices"), py::arg("percent"),
        R"(max(1, percent of the slices rounded half to even).

Parameters
----------
slices : int
percent : float
    In (0, 100], taken as the decimal number that it is written as.

Returns
-------
int

Raises
------
ichdet.Error
    `options`, where `slices` is negative or `percent` is out of its range.

Notes
-----
S1's rule (An EfficientClassification..., Table 2: 5, 7.5 and 10 %), rounding as in its authors' code.

Examples
--------
>>> [ichdet.positives_needed(n, 10) for n in (30, 40, 25, 3)]
[3, 4, 2, 1])");
  m.def(
      "case_score",
      [](const DoubleArray& probabilities, const CaseRule& rule) { return case_score(span_of(probabilities), rule); },
      py::arg("probabilities"), py::arg("rule"),
      R"(The score of one case; it is positive where this is above rule.threshold.

Parameters
----------
probabilities : (slices,) array
    In [0, 1]; float64 is read in place.
rule : CaseRule

Returns
-------
float
    In [0, 1]; 0 without slices.

Raises
------
ichdet.Error
    `options`, where a probability is not in [0, 1].

Examples
--------
>>> ichdet.case_score([0.2, 0.9, 0.4, 0.6], ichdet.CaseRule("top-mean", top=2))
0.75)");
  m.def(
      "case_scores",
      [](const DoubleArray& probabilities, const Offsets& offsets, const CaseRule& rule) {
        const auto scores = [&] {
          const auto unlocked = unlocked_for(std::size_t(probabilities.size()));
          return case_scores(span_of(probabilities), {offsets.data(), std::size_t(offsets.size())}, rule);
        }();
        return to_numpy(scores);
      },
      py::arg("probabilities"), py::arg("offsets"), py::arg("rule"),
      R"(The scores of a cohort, whose slices follow one another.

Parameters
----------
probabilities : (slices of all cases,) array
    In [0, 1]; float64 is read in place.
offsets : (cases + 1,) int64 array
    Case i has probabilities[offsets[i]:offsets[i + 1]].
rule : CaseRule

Returns
-------
(cases,) float64 array

Raises
------
ichdet.Error
    `shape` unless the offsets begin at 0, never fall, and end at the number of probabilities; `options` where a
    probability is not in [0, 1].

Examples
--------
>>> ichdet.case_scores([0.2, 0.9, 0.4, 0.6, 0.1], [0, 2, 5], ichdet.CaseRule("maximum"))
array([0.9, 0.6]))");
  m.def("decide", &decide, py::arg("slices"), py::arg("rule"),
        R"(The decision about a patient, with the rule in words. Uncalibrated.

Parameters
----------
slices : list of SliceScore
rule : CaseRule

Returns
-------
PatientDecision

Raises
------
ichdet.Error
    `options`, where a probability is not in [0, 1].

Examples
--------
>>> scores = []
>>> for i, p in enumerate([0.1, 0.9, 0.85]):
...     score = ichdet.SliceScore()
...     score.index, score.probability = i, p
...     scores.append(score)
>>> decision = ichdet.decide(scores, ichdet.CaseRule("percent", percent=50))
>>> decision.positive, decision.probability
(True, 0.85))");
}

void bind_review(py::module_& m) {
  const ReviewRange defaults;
  m.def(
      "needs_review",
      [](double probability, double low, double high) {
        return needs_review(probability, {low, high});
      },
      py::arg("probability"), py::arg("low") = defaults.low, py::arg("high") = defaults.high,
      R"(Whether a probability is too near to one half to stand without a second look.

Parameters
----------
probability : float
low, high : float
    0 <= low <= high <= 1; both belong to the range.

Returns
-------
bool

Raises
------
ichdet.Error
    `options`, for another range.

Notes
-----
S3's difficult cases, in use, where no annotation is.

Examples
--------
>>> ichdet.needs_review(0.45), ichdet.needs_review(0.95)
(True, False))");
  m.def(
      "difficult_cases",
      [](const LabelArray& truth, const DoubleArray& probabilities, double low, double high) {
        return difficult_cases(truth, span_of(probabilities), {low, high});
      },
      py::arg("truth"), py::arg("probabilities"), py::arg("low") = defaults.low, py::arg("high") = defaults.high,
      R"(S3's difficult cases, with annotation.

Parameters
----------
truth : (cases,) array
    0 or 1; bool and uint8 are read in place.
probabilities : (cases,) array
    float64 is read in place.
low, high : float
    A positive case is difficult with a probability of at most `high`, a negative one with at least `low`.

Returns
-------
list of int
    Their rows, ascending.

Raises
------
ichdet.Error
    `shape` where the lengths differ, `options` for another range.

Examples
--------
>>> ichdet.difficult_cases([0, 0, 1, 1], [0.1, 0.5, 0.55, 0.9])
[1, 2])");
  m.def(
      "flag_for_review",
      [](StudyResult& result, double low, double high) {
        flag_for_review(result, {low, high});
      },
      py::arg("result"), py::arg("low") = defaults.low, py::arg("high") = defaults.high,
      R"(Adds a sentence to result.review where the study's probability lies in the range.

Parameters
----------
result : StudyResult
    Changed in place.
low, high : float
    0 <= low <= high <= 1; both belong to the range.

Raises
------
ichdet.Error
    `options`, for another range.

Examples
--------
>>> result, decision = ichdet.StudyResult(), ichdet.PatientDecision()
>>> decision.probability = 0.5
>>> result.decision = decision
>>> ichdet.flag_for_review(result)
>>> len(result.review)
1)");
}

}  // namespace

void bind_case_rules(py::module_& m) {
  bind_logistic(m);
  bind_rule(m);
  bind_review(m);
}

}  // namespace ichdet::python
