#include "core_evaluate.hpp"
#include "ichdet/evaluate/threshold_choice.hpp"

namespace ichdet::python {

using namespace evaluate;

namespace {

void bind_proportions(py::module_& m) {
  m.def(
      "clopper_pearson",
      [](std::int64_t successes, std::int64_t trials, double confidence) {
        return pair_of(clopper_pearson({successes, trials}, confidence));
      },
      py::arg("successes"), py::arg("trials"), py::arg("confidence") = 0.95,
      R"(The exact binomial interval of a rate.

Parameters
----------
successes, trials : int
    0 <= successes <= trials. The trials must be independent: slices of one patient are not (see bootstrap).
confidence : float
    In (0, 1).

Returns
-------
low, high : float
    0 without and 1 with nothing but successes; both NaN without trials.

Raises
------
ichdet.Error
    `options`, where an argument is out of its range.

Notes
-----
Clopper and Pearson, Biometrika 1934: the coverage is at least `confidence`.

Examples
--------
>>> low, high = ichdet.evaluate.clopper_pearson(352, 371)
>>> round(100 * low, 1), round(100 * high, 1)
(92.1, 96.9))");
  m.def(
      "wilson",
      [](std::int64_t successes, std::int64_t trials, double confidence) {
        return pair_of(wilson({successes, trials}, confidence));
      },
      py::arg("successes"), py::arg("trials"), py::arg("confidence") = 0.95,
      R"(Wilson's score interval of a rate, without continuity correction.

Parameters
----------
successes, trials : int
    0 <= successes <= trials.
confidence : float
    In (0, 1).

Returns
-------
low, high : float
    NaN without trials.

Raises
------
ichdet.Error
    `options`, where an argument is out of its range.

Notes
-----
Wilson, JASA 1927: the coverage is close to `confidence` on average.

Examples
--------
>>> low, high = ichdet.evaluate.wilson(352, 371)
>>> round(100 * low, 1), round(100 * high, 1)
(92.1, 96.7))");
  py::class_<Proportion>(m, "Proportion", R"(Successes of trials: a rate that still knows its counts.

Parameters
----------
successes, trials : int

Examples
--------
>>> sensitivity = ichdet.evaluate.Proportion(9, 10)
>>> sensitivity, float(sensitivity)
(<ichdet.evaluate.Proportion 9 / 10>, 0.9)
>>> low, high = sensitivity.interval()
>>> round(low, 3), round(high, 3)
(0.555, 0.997))")
      .def(py::init([](std::int64_t successes, std::int64_t trials) {
             return Proportion{successes, trials};
           }),
           py::arg("successes"), py::arg("trials"))
      .def_readonly("successes", &Proportion::successes, "How many of the trials.")
      .def_readonly("trials", &Proportion::trials, "Of how many.")
      .def_property_readonly("value", &Proportion::value, "successes / trials; NaN without trials.")
      .def(
          "interval", [](const Proportion& p, double confidence) { return pair_of(clopper_pearson(p, confidence)); },
          py::arg("confidence") = 0.95, "(low, high): the exact binomial interval, as clopper_pearson gives it.")
      .def("__float__", &Proportion::value)
      .def("__repr__", [](const Proportion& p) { return "<ichdet.evaluate.Proportion " + text_of(p) + ">"; });
}

void bind_confusion(py::module_& m) {
  py::class_<Confusion>(m, "Confusion", R"(How decisions agree with the truth.

Each rate is a Proportion, whose value is NaN where nothing was counted.

Parameters
----------
true_positives, false_positives, true_negatives, false_negatives : int
    Cases.

Examples
--------
>>> counts = ichdet.evaluate.Confusion(true_positives=8, false_positives=1, true_negatives=9, false_negatives=2)
>>> float(counts.sensitivity), counts.specificity, round(counts.f1, 3)
(0.8, <ichdet.evaluate.Proportion 9 / 10>, 0.842))")
      .def(py::init([](std::int64_t tp, std::int64_t fp, std::int64_t tn, std::int64_t fn) {
             return Confusion{tp, fp, tn, fn};
           }),
           py::kw_only(), py::arg("true_positives") = 0, py::arg("false_positives") = 0, py::arg("true_negatives") = 0,
           py::arg("false_negatives") = 0)
      .def_readonly("true_positives", &Confusion::true_positives, "Positive cases that were called so.")
      .def_readonly("false_positives", &Confusion::false_positives, "Negative cases that were called positive.")
      .def_readonly("true_negatives", &Confusion::true_negatives, "Negative cases that were called so.")
      .def_readonly("false_negatives", &Confusion::false_negatives, "Positive cases that were called negative.")
      .def_property_readonly("total", &Confusion::total, "All cases.")
      .def_property_readonly("accuracy", &Confusion::accuracy, "Right decisions, of all.")
      .def_property_readonly("sensitivity", &Confusion::sensitivity, "TPR, recall: of the positive cases.")
      .def_property_readonly("specificity", &Confusion::specificity, "TNR: of the negative cases.")
      .def_property_readonly("positive_predictive_value", &Confusion::positive_predictive_value,
                             "PPV, precision: of the positive decisions.")
      .def_property_readonly("negative_predictive_value", &Confusion::negative_predictive_value,
                             "NPV: of the negative decisions.")
      .def_property_readonly("f1", &Confusion::f1, "Dice of decisions and truth; NaN without any positive one.")
      .def("__repr__", [](const Confusion& c) {
        return "<ichdet.evaluate.Confusion TP " + std::to_string(c.true_positives) + ", FP " +
               std::to_string(c.false_positives) + ", TN " + std::to_string(c.true_negatives) + ", FN " +
               std::to_string(c.false_negatives) + ">";
      });
  m.def(
      "confusion",
      [](const LabelArray& truth, const DoubleArray& scores, double threshold) {
        const auto unlocked = unlocked_for(truth.size());
        return confusion_at(truth, span_of(scores), threshold);
      },
      py::arg("truth"), py::arg("scores"), py::arg("threshold") = 0.5,
      R"(Counts the decisions `scores >= threshold`; decisions of 0 and 1 are scores too.

Parameters
----------
truth : (cases,) array
    0 or 1; bool and uint8 are read in place.
scores : (cases,) array
    The higher the more positive; float64 is read in place.
threshold : float

Returns
-------
Confusion

Raises
------
ichdet.Error
    `shape` where the lengths differ, `options` where a score is NaN or the truth is neither 0 nor 1.

Examples
--------
>>> counts = ichdet.evaluate.confusion([0, 0, 1, 1], [0.1, 0.6, 0.4, 0.9])
>>> counts
<ichdet.evaluate.Confusion TP 1, FP 1, TN 1, FN 1>
>>> float(counts.accuracy)
0.5)");
}

void bind_thresholds(py::module_& m) {
  m.def(
      "choose_threshold",
      [](const LabelArray& truth, const DoubleArray& probabilities, std::optional<double> sensitivity,
         std::optional<Pair> cost) {
        if (sensitivity && cost) {
          throw Error(ErrorCode::options, "choose_threshold: expected a sensitivity or a cost, found both");
        }
        const auto unlocked = unlocked_for(truth.size());
        const auto ranking = rank(truth, span_of(probabilities));
        const auto choice = sensitivity ? threshold_for_sensitivity(ranking, *sensitivity)
                            : cost      ? threshold_by_cost(ranking, cost->first, cost->second)
                                        : threshold_by_youden(ranking);
        return std::pair(choice.threshold, choice.counts);
      },
      py::arg("truth"), py::arg("probabilities"), py::kw_only(), py::arg("sensitivity") = py::none(),
      py::arg("cost") = py::none(),
      R"(Where to cut probabilities: by Youden's index, for a wanted sensitivity, or at the least cost.

Parameters
----------
truth : (cases,) array
    0 or 1, of cases that the model did not learn from.
probabilities : (cases,) array
    In [0, 1].
sensitivity : float, optional
    In (0, 1]: of the thresholds with at least this sensitivity the one with the highest specificity.
cost : (float, float), optional
    Of a missed case and of a false alarm, both above 0.

Returns
-------
threshold : float
    Half-way between two probabilities, so that ">" and ">=" decide alike. Of equally good ones the lowest.
counts : Confusion
    What it does to these cases.

Raises
------
ichdet.Error
    `options` without positive and negative cases, for a probability outside [0, 1], or with both criteria.

Notes
-----
Without a criterion the highest sensitivity + specificity - 1 (Youden 1950).

Examples
--------
>>> truth, p = [0, 0, 0, 1, 1], [0.1, 0.2, 0.7, 0.6, 0.9]
>>> threshold, counts = ichdet.evaluate.choose_threshold(truth, p, sensitivity=1.0)
>>> round(threshold, 3), counts.false_positives
(0.4, 1)
>>> round(ichdet.evaluate.choose_threshold(truth, p, cost=(1, 10))[0], 3)
0.8)");
}

}  // namespace

void bind_evaluate_rates(py::module_& m) {
  bind_proportions(m);
  bind_confusion(m);
  bind_thresholds(m);
}

}  // namespace ichdet::python
