#include "convert.hpp"
#include "ichdet/aggregate/case_rules.hpp"
#include "ichdet/aggregate/review.hpp"

namespace ichdet::python {
namespace {

using Doubles = py::array_t<double, py::array::c_style | py::array::forcecast>;
using Offsets = py::array_t<std::int64_t, py::array::c_style | py::array::forcecast>;
using Bytes = py::array_t<std::uint8_t, py::array::c_style | py::array::forcecast>;

template <class T>
std::span<const T> span_of(const py::array_t<T, py::array::c_style | py::array::forcecast>& values) {
  return {values.data(), std::size_t(values.size())};
}

py::array_t<double> to_numpy(const std::vector<double>& values) {
  return py::array_t<double>(py::ssize_t(values.size()), values.data());
}

void bind_logistic(py::module_& m) {
  py::class_<LogisticModel>(m, "LogisticModel", "1 / (1 + exp(-(intercept + weights . features)))")
      .def(py::init([](double intercept, std::vector<double> weights) {
             return LogisticModel{intercept, std::move(weights)};
           }),
           py::arg("intercept") = 0.0, py::arg("weights") = std::vector<double>())
      .def_readwrite("intercept", &LogisticModel::intercept)
      .def_readwrite("weights", &LogisticModel::weights)
      .def(
          "__call__", [](const LogisticModel& model, const Doubles& features) { return model(span_of(features)); },
          py::arg("features"));
  m.def(
      "fit_logistic",
      [](const Doubles& features, const Bytes& truth, double l2, int max_iterations) {
        if (features.ndim() != 2 || truth.ndim() != 1 || features.shape(0) != truth.shape(0)) {
          throw py::value_error("fit_logistic: expected features (rows, columns) and as many truths as rows");
        }
        LogisticFitOptions options;
        options.l2 = l2;
        options.max_iterations = max_iterations;
        const py::gil_scoped_release unlocked;
        return fit_logistic(span_of(features), span_of(truth), options);
      },
      py::arg("features"), py::arg("truth"), py::arg("l2") = 1.0, py::arg("max_iterations") = 100,
      "The minimum of log loss + l2 / 2 |weights|^2 by Newton's method: scikit-learn's with C = 1 / l2.");
  m.def(
      "case_features",
      [](const Doubles& probabilities) {
        const auto values = case_features(span_of(probabilities));
        return py::array_t<double>(py::ssize_t(values.size()), values.data());
      },
      py::arg("probabilities"),
      "What the learned case rule reads of one case's slices: highest, mean of the three highest, share above 0.5, "
      "mean.");
}

}  // namespace

void bind_case_rules(py::module_& m) {
  bind_logistic(m);
  py::class_<CaseRule>(m, "CaseRule", R"(From the probabilities of slices to a decision about the patient.

kind : 'percent' (S1's n % rule), 'maximum', 'noisy-or', 'top-mean' or 'logistic'
slice_threshold : a slice is positive above it
case_threshold : the patient is positive where the case's score is above it; the n % rule has slice_threshold there
percent : of 'percent', of all slices
top : of 'top-mean', how many of the highest
logistic : of 'logistic', a LogisticModel of case_features)")
      .def(py::init([](const std::string& kind, double slice_threshold, double case_threshold, double percent,
                       std::int64_t top, LogisticModel logistic) {
             CaseRule rule{parse_case_rule(kind), slice_threshold, case_threshold, percent, top, std::move(logistic)};
             check(rule);
             return rule;
           }),
           py::arg("kind") = "percent", py::kw_only(), py::arg("slice_threshold") = 0.8,
           py::arg("case_threshold") = 0.5, py::arg("percent") = 10.0, py::arg("top") = 3,
           py::arg("logistic") = LogisticModel())
      .def_property_readonly("kind", [](const CaseRule& rule) { return to_string(rule.kind); })
      .def_readonly("slice_threshold", &CaseRule::slice_threshold)
      .def_readonly("case_threshold", &CaseRule::case_threshold)
      .def_readonly("percent", &CaseRule::percent)
      .def_readonly("top", &CaseRule::top)
      .def_readonly("logistic", &CaseRule::logistic)
      .def_property_readonly("threshold", &CaseRule::threshold, "What the case's score has to be above.");
  m.def("positives_needed", &positives_needed, py::arg("slices"), py::arg("percent"),
        "max(1, percent of the slices rounded half to even).");
  m.def(
      "case_score",
      [](const Doubles& probabilities, const CaseRule& rule) { return case_score(span_of(probabilities), rule); },
      py::arg("probabilities"), py::arg("rule"), "Of one case; positive where it is above rule.threshold.");
  m.def(
      "case_scores",
      [](const Doubles& probabilities, const Offsets& offsets, const CaseRule& rule) {
        std::vector<double> scores;
        {
          const py::gil_scoped_release unlocked;
          scores = case_scores(span_of(probabilities), span_of(offsets), rule);
        }
        return to_numpy(scores);
      },
      py::arg("probabilities"), py::arg("offsets"), py::arg("rule"),
      R"(Of a cohort, whose slices follow one another; contiguous float64 is read in place.

probabilities : (slices of all cases,) float64
offsets : (cases + 1,) int64; case i has probabilities[offsets[i]:offsets[i + 1]]
rule : CaseRule)");
  m.def(
      "difficult_cases",
      [](const Bytes& truth, const Doubles& probabilities, double low, double high) {
        return difficult_cases(span_of(truth), span_of(probabilities), {low, high});
      },
      py::arg("truth"), py::arg("probabilities"), py::arg("low") = 0.4, py::arg("high") = 0.6,
      "Rows of S3's difficult cases: positive with a probability of at most `high`, negative with at least `low`.");
  m.def("decide", &decide, py::arg("slices"), py::arg("rule"), "PatientDecision from a list of SliceScore.");
}

}  // namespace ichdet::python
