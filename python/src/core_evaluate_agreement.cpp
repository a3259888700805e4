#include "core_evaluate.hpp"
#include "ichdet/evaluate/agreement.hpp"
#include "ichdet/evaluate/bland_altman.hpp"
#include "ichdet/evaluate/calibration.hpp"

namespace ichdet::python {

using namespace evaluate;

namespace {

void bind_mcnemar(py::module_& m) {
  py::class_<McNemar>(m, "McNemar", R"(A two-sided test of two decisions on the same cases.

Examples
--------
>>> test = ichdet.evaluate.mcnemar(2, 9)
>>> round(test.exact_p, 4), round(test.chi2, 4), round(test.chi2_p, 4)
(0.0654, 3.2727, 0.0704))")
      .def_readonly("only_a", &McNemar::only_a, "Cases that only a got right.")
      .def_readonly("only_b", &McNemar::only_b, "Cases that only b got right.")
      .def_readonly("exact_p", &McNemar::exact_p, "Binomial; 1 without discordant cases.")
      .def_readonly("chi2", &McNemar::chi2, "With continuity correction; NaN without discordant cases.")
      .def_readonly("chi2_p", &McNemar::chi2_p, "Of chi2 with one degree of freedom.")
      .def("__repr__", [](const McNemar& t) {
        return "<ichdet.evaluate.McNemar " + std::to_string(t.only_a) + " against " + std::to_string(t.only_b) +
               ", p = " + few_digits(t.exact_p) + ">";
      });
  m.def(
      "mcnemar", [](std::int64_t only_a, std::int64_t only_b) { return mcnemar(only_a, only_b); }, py::arg("only_a"),
      py::arg("only_b"),
      R"(McNemar's test, from the counts of discordant cases.

Parameters
----------
only_a, only_b : int
    Cases that only a, or only b, got right.

Returns
-------
McNemar

Raises
------
ichdet.Error
    `options`, where a count is negative.

Examples
--------
>>> ichdet.evaluate.mcnemar(2, 9)
<ichdet.evaluate.McNemar 2 against 9, p = 0.06543>)");
  m.def(
      "mcnemar",
      [](const LabelArray& truth, const LabelArray& a, const LabelArray& b) {
        return mcnemar(evaluate::Labels(truth), evaluate::Labels(a), evaluate::Labels(b));
      },
      py::arg("truth"), py::arg("a"), py::arg("b"),
      R"(McNemar's test, from two decisions on the same cases.

Parameters
----------
truth, a, b : (cases,) array
    0 or 1; bool and uint8 are read in place.

Returns
-------
McNemar

Raises
------
ichdet.Error
    `shape` where the lengths differ, `options` where a value is neither 0 nor 1.

Examples
--------
>>> test = ichdet.evaluate.mcnemar([0, 0, 1, 1], [0, 1, 1, 0], [1, 0, 0, 1])
>>> test.only_a, test.only_b
(2, 2))");
}

void bind_kappa(py::module_& m) {
  py::class_<Kappa>(m, "Kappa", R"(Cohen's kappa with its asymptotic error (Fleiss, Cohen and Everitt 1969).

Examples
--------
>>> kappa = ichdet.evaluate.cohen_kappa([[20, 5], [10, 15]])
>>> round(float(kappa), 3), round(kappa.standard_error, 3)
(0.4, 0.127))")
      .def_readonly("value", &Kappa::value, "NaN where chance alone agrees wholly: all in one category.")
      .def_readonly("standard_error", &Kappa::standard_error, "Asymptotic.")
      .def_property_readonly(
          "interval", [](const Kappa& k) { return pair_of(k.interval); }, "(low, high): value -+ z errors, not cut.")
      .def("__float__", [](const Kappa& k) { return k.value; })
      .def("__repr__", [](const Kappa& k) {
        return "<ichdet.evaluate.Kappa " + few_digits(k.value) + ", " + few_digits(k.interval.low) + " to " +
               few_digits(k.interval.high) + ">";
      });
  m.def(
      "cohen_kappa",
      [](const Eigen::MatrixXd& table, const std::string& weights, double confidence) {
        if (weights != "none" && weights != "linear" && weights != "quadratic") {
          throw Error::mismatch(ErrorCode::options, "weights", "none, linear or quadratic", weights);
        }
        const auto kind = weights == "none"     ? KappaWeights::none
                          : weights == "linear" ? KappaWeights::linear
                                                : KappaWeights::quadratic;
        return cohen_kappa(table, kind, confidence);
      },
      py::arg("table"), py::arg("weights") = "none", py::arg("confidence") = 0.95,
      R"(Cohen's kappa of two raters.

Parameters
----------
table : (categories, categories) array
    table[i, j]: cases that the first put into category i, the second into j (see rating_table).
weights : str
    "none": categories are names; "linear" or "quadratic": they are ordered, disagreement weighs |i - j| or its square.
confidence : float
    In (0, 1).

Returns
-------
Kappa

Raises
------
ichdet.Error
    `shape` unless the table is square with two or more categories, `options` where a count is negative or the weights
    are none of these.

Examples
--------
>>> ichdet.evaluate.cohen_kappa([[20, 5], [10, 15]])
<ichdet.evaluate.Kappa 0.4, 0.1511 to 0.6489>)");
  m.def(
      "rating_table",
      [](const IntArray& a, const IntArray& b, int categories) {
        return rating_table({a.data(), std::size_t(a.size())}, {b.data(), std::size_t(b.size())}, categories);
      },
      py::arg("a"), py::arg("b"), py::arg("categories"),
      R"(How often the first rater chose i where the second chose j.

Parameters
----------
a, b : (cases,) int array
    In 0 ... categories - 1.
categories : int

Returns
-------
(categories, categories) float64 array
    What cohen_kappa takes.

Raises
------
ichdet.Error
    `shape` where the lengths differ, `options` that names the row where a rating is outside.

Examples
--------
>>> ichdet.evaluate.rating_table([0, 0, 1, 2], [0, 1, 1, 2], 3)
array([[1., 1., 0.],
       [0., 1., 0.],
       [0., 0., 1.]]))");
  m.def("fleiss_kappa", &fleiss_kappa, py::arg("counts"),
        R"(Fleiss' kappa of several raters.

Parameters
----------
counts : (cases, categories) array
    counts[i, j]: how many raters put case i into category j.

Returns
-------
float
    NaN where all chose one category. For an interval, bootstrap the cases.

Raises
------
ichdet.Error
    `shape`, unless every case has the same number of ratings, two or more.

Notes
-----
Fleiss, Psychological Bulletin 1971.

Examples
--------
>>> round(ichdet.evaluate.fleiss_kappa([[3, 0], [0, 3], [2, 1]]), 3)
0.55)");
}

/// Of each bin.
template <class Value>
auto of_bins(Value value) {
  return [value](const Calibration& c) {
    py::array_t<double> values(py::ssize_t(c.bins.size()));
    for (std::size_t i = 0; i < c.bins.size(); ++i) values.mutable_data()[i] = value(c.bins[i]);
    return values;
  };
}

void bind_calibration(py::module_& m) {
  py::class_<ReliabilityBin>(m, "ReliabilityBin", R"(Cases whose probability lies in (low, high]; the first holds 0 too.

Examples
--------
>>> found = ichdet.evaluate.calibration([0, 1, 1, 1], [0.1, 0.4, 0.8, 0.9], bins=2)
>>> found.bins[1].low, found.bins[1].observed, round(found.bins[1].mean_probability, 2)
(0.5, <ichdet.evaluate.Proportion 2 / 2>, 0.85))")
      .def_readonly("low", &ReliabilityBin::low, "Not part of the bin, but for 0.")
      .def_readonly("high", &ReliabilityBin::high, "Part of the bin.")
      .def_readonly("observed", &ReliabilityBin::observed, "Positive cases, of those in the bin.")
      .def_readonly("mean_probability", &ReliabilityBin::mean_probability, "NaN in an empty bin.");
  py::class_<Calibration>(m, "Calibration", R"(How probabilities compare with frequencies: a reliability diagram.

Examples
--------
>>> found = ichdet.evaluate.calibration([0, 1, 1, 1], [0.1, 0.4, 0.8, 0.9], bins=2)
>>> found.edges, found.cases
(array([0. , 0.5, 1. ]), array([2, 2]))
>>> found.mean_probability.round(2), found.frequency
(array([0.25, 0.85]), array([0.5, 1. ]))
>>> round(found.brier, 3), round(found.expected_error, 3), round(found.largest_error, 3)
(0.105, 0.2, 0.25))")
      .def_readonly("brier", &Calibration::brier, "Mean squared difference of probability and truth.")
      .def_readonly("expected_error", &Calibration::expected_error,
                    "ECE: mean of |frequency - mean probability| over the bins, by their cases.")
      .def_readonly("largest_error", &Calibration::largest_error, "MCE: the largest of these differences.")
      .def_readonly("bins", &Calibration::bins, "One by one.")
      .def_property_readonly(
          "edges",
          [](const Calibration& c) {
            py::array_t<double> edges(py::ssize_t(c.bins.size() + 1));
            edges.mutable_data()[0] = 0;
            for (std::size_t i = 0; i < c.bins.size(); ++i) edges.mutable_data()[i + 1] = c.bins[i].high;
            return edges;
          },
          "(bins + 1,) float64, from 0 to 1.")
      .def_property_readonly(
          "cases",
          [](const Calibration& c) {
            py::array_t<std::int64_t> cases(py::ssize_t(c.bins.size()));
            for (std::size_t i = 0; i < c.bins.size(); ++i) cases.mutable_data()[i] = c.bins[i].observed.trials;
            return cases;
          },
          "(bins,) int64: how many lie in each bin.")
      .def_property_readonly("mean_probability", of_bins([](const ReliabilityBin& b) { return b.mean_probability; }),
                             "(bins,) float64; NaN in an empty bin.")
      .def_property_readonly("frequency", of_bins([](const ReliabilityBin& b) { return b.observed.value(); }),
                             "(bins,) float64: the share of positive cases; NaN in an empty bin.")
      .def(
          "interval",
          [](const Calibration& c, double confidence) {
            const auto low = [&](const ReliabilityBin& b) { return clopper_pearson(b.observed, confidence).low; };
            const auto high = [&](const ReliabilityBin& b) { return clopper_pearson(b.observed, confidence).high; };
            return std::pair(of_bins(low)(c), of_bins(high)(c));
          },
          py::arg("confidence") = 0.95, "(low, high) of the frequencies, exact binomial: two (bins,) float64 arrays.")
      .def("__repr__", [](const Calibration& c) {
        return "<ichdet.evaluate.Calibration Brier " + few_digits(c.brier) + ", ECE " + few_digits(c.expected_error) +
               ", MCE " + few_digits(c.largest_error) + ", " + std::to_string(c.bins.size()) + " bins>";
      });
  m.def(
      "calibration",
      [](const LabelArray& truth, const DoubleArray& probabilities, int bins) {
        const auto unlocked = unlocked_for(truth.size());
        return calibration(truth, span_of(probabilities), bins);
      },
      py::arg("truth"), py::arg("probabilities"), py::arg("bins") = 10,
      R"(Brier score, expected and largest calibration error, and the reliability diagram's bins.

Parameters
----------
truth : (cases,) array
    0 or 1; bool and uint8 are read in place.
probabilities : (cases,) array
    In [0, 1]; float64 is read in place.
bins : int
    Of equal width over [0, 1], 1 or more.

Returns
-------
Calibration
    NaN without cases.

Raises
------
ichdet.Error
    `shape` where lengths differ, `options` where a probability is outside [0, 1] or there is no bin.

Examples
--------
>>> ichdet.evaluate.calibration([0, 1, 1, 1], [0.1, 0.4, 0.8, 0.9], bins=2)
<ichdet.evaluate.Calibration Brier 0.105, ECE 0.2, MCE 0.25, 2 bins>)");
}

void bind_bland_altman(py::module_& m) {
  const auto pair = [](Interval BlandAltman::*field) {
    return [field](const BlandAltman& b) { return pair_of(b.*field); };
  };
  py::class_<BlandAltman>(m, "BlandAltman", R"(How two ways of measuring differ, in the unit of what was measured.

Examples
--------
>>> found = ichdet.evaluate.bland_altman([11.0, 19.0, 32.0, 41.0], [10.0, 20.0, 30.0, 40.0])
>>> found.cases, found.bias, round(found.standard_deviation, 3)
(4, 0.75, 1.258)
>>> low, high = found.limits
>>> round(low, 2), round(high, 2)
(-1.72, 3.22))")
      .def_readonly("cases", &BlandAltman::cases, "How many pairs.")
      .def_readonly("bias", &BlandAltman::bias, "Mean of measured - reference.")
      .def_readonly("standard_deviation", &BlandAltman::standard_deviation,
                    "Of the differences, n - 1; NaN of one case.")
      .def_readonly("mean_absolute_error", &BlandAltman::mean_absolute_error, "Mean of |measured - reference|.")
      .def_property_readonly("limits", pair(&BlandAltman::limits), "(low, high) of agreement: bias -+ z deviations.")
      .def_property_readonly("bias_interval", pair(&BlandAltman::bias_interval), "(low, high), by Student's t.")
      .def_property_readonly("low_limit_interval", pair(&BlandAltman::low_limit_interval),
                             "(low, high) of the lower limit of agreement.")
      .def_property_readonly("high_limit_interval", pair(&BlandAltman::high_limit_interval),
                             "(low, high) of the upper limit of agreement.")
      .def("__repr__", [](const BlandAltman& b) {
        return "<ichdet.evaluate.BlandAltman bias " + few_digits(b.bias) + ", limits " + few_digits(b.limits.low) +
               " to " + few_digits(b.limits.high) + ", " + std::to_string(b.cases) + " cases>";
      });
  m.def(
      "bland_altman",
      [](const DoubleArray& measured, const DoubleArray& reference, double confidence) {
        return bland_altman(span_of(measured), span_of(reference), confidence);
      },
      py::arg("measured"), py::arg("reference"), py::arg("confidence") = 0.95,
      R"(Bias and limits of agreement of two ways of measuring, with their intervals.

Parameters
----------
measured, reference : (cases,) array
    Finite, in one unit (mL of volumes); float64 is read in place.
confidence : float
    In (0, 1).

Returns
-------
BlandAltman

Raises
------
ichdet.Error
    `shape` where lengths differ, `options` where a value is not finite.

Notes
-----
Bland and Altman, Lancet 1986, with the intervals of their 1999 paper.

Examples
--------
>>> ichdet.evaluate.bland_altman([11.0, 19.0, 32.0, 41.0], [10.0, 20.0, 30.0, 40.0])
<ichdet.evaluate.BlandAltman bias 0.75, limits -1.716 to 3.216, 4 cases>)");
}

}  // namespace

void bind_evaluate_agreement(py::module_& m) {
  bind_mcnemar(m);
  bind_kappa(m);
  bind_calibration(m);
  bind_bland_altman(m);
}

}  // namespace ichdet::python
