#include "core_evaluate.hpp"

#include "ichdet/evaluate/agreement.hpp"
#include "ichdet/evaluate/bland_altman.hpp"
#include "ichdet/evaluate/bootstrap.hpp"
#include "ichdet/evaluate/calibration.hpp"
#include "ichdet/evaluate/curves.hpp"
#include "ichdet/evaluate/delong.hpp"
#include "ichdet/evaluate/special.hpp"
#include "ichdet/evaluate/threshold_choice.hpp"

namespace ichdet::python {

using namespace evaluate;

std::vector<std::uint8_t> labels_from(const DoubleArray& values) {
  std::vector<std::uint8_t> labels;
  labels.reserve(std::size_t(values.size()));
  for (py::ssize_t i = 0; i < values.size(); ++i) {
    const double value = values.data()[i];
    if (value != 0 && value != 1) {
      throw Error::mismatch(ErrorCode::options, "labels, row " + std::to_string(i), "0 or 1", std::to_string(value));
    }
    labels.push_back(value == 1);
  }
  return labels;
}

std::span<const double> span_of(const DoubleArray& values) { return {values.data(), std::size_t(values.size())}; }

py::array_t<double> to_numpy(const std::vector<double>& values) {
  return py::array_t<double>(py::ssize_t(values.size()), values.data());
}

py::tuple to_tuple(const Interval& interval) { return py::make_tuple(interval.low, interval.high); }

BootstrapOptions bootstrap_options(std::int64_t resamples, std::uint64_t seed, double confidence, int threads) {
  BootstrapOptions options;
  options.resamples = resamples;
  options.seed = seed;
  options.confidence = confidence;
  options.threads = threads;
  return options;
}

namespace {

/// Patients numbered from 0, from any array of names; each row its own where there is none.
std::vector<std::int32_t> patients_from(const py::object& patients, std::size_t rows) {
  std::vector<std::int32_t> numbers(rows);
  if (patients.is_none()) {
    for (std::size_t i = 0; i < rows; ++i) numbers[i] = std::int32_t(i);
    return numbers;
  }
  const auto unique = py::module_::import("numpy").attr("unique");
  const py::tuple found = unique(patients, py::arg("return_inverse") = true);
  const auto inverse = py::array_t<std::int32_t, py::array::c_style | py::array::forcecast>(found[1]);
  if (std::size_t(inverse.size()) != rows) {
    throw Error::mismatch(ErrorCode::shape, "patients", std::to_string(rows) + " rows", std::to_string(inverse.size()));
  }
  std::copy(inverse.data(), inverse.data() + inverse.size(), numbers.begin());
  return numbers;
}

void bind_special(py::module_& m) {
  m.def("incomplete_beta", py::vectorize(incomplete_beta), py::arg("a"), py::arg("b"), py::arg("x"),
        "I_x(a, b), regularised, as scipy.special.betainc.");
  m.def("incomplete_beta_inverse", py::vectorize(incomplete_beta_inverse), py::arg("a"), py::arg("b"), py::arg("p"),
        "As scipy.special.betaincinv.");
  m.def("normal_quantile", py::vectorize(normal_quantile), py::arg("p"), "As scipy.special.ndtri.");
  m.def("student_t_quantile", py::vectorize(student_t_quantile), py::arg("p"), py::arg("degrees"));
}

void bind_proportions(py::module_& m) {
  m.def(
      "clopper_pearson",
      [](std::int64_t successes, std::int64_t trials, double confidence) {
        return to_tuple(clopper_pearson({successes, trials}, confidence));
      },
      py::arg("successes"), py::arg("trials"), py::arg("confidence") = 0.95,
      "(low, high): the exact binomial interval; NaN without trials.");
  m.def(
      "wilson",
      [](std::int64_t successes, std::int64_t trials, double confidence) {
        return to_tuple(wilson({successes, trials}, confidence));
      },
      py::arg("successes"), py::arg("trials"), py::arg("confidence") = 0.95,
      "(low, high): Wilson's score interval; NaN without trials.");
  py::class_<Proportion>(m, "Proportion", "successes of trials.")
      .def(py::init([](std::int64_t successes, std::int64_t trials) {
             return Proportion{successes, trials};
           }),
           py::arg("successes"), py::arg("trials"))
      .def_readonly("successes", &Proportion::successes)
      .def_readonly("trials", &Proportion::trials)
      .def_property_readonly("value", &Proportion::value, "NaN without trials.")
      .def("__float__", &Proportion::value)
      .def("__repr__", [](const Proportion& p) {
        return "<ichdet.evaluate.Proportion " + std::to_string(p.successes) + " / " + std::to_string(p.trials) + ">";
      });
  py::class_<Confusion>(m, "Confusion",
                        "How decisions agree with the truth; rates are Proportions, NaN where undefined.")
      .def_readonly("true_positives", &Confusion::true_positives)
      .def_readonly("false_positives", &Confusion::false_positives)
      .def_readonly("true_negatives", &Confusion::true_negatives)
      .def_readonly("false_negatives", &Confusion::false_negatives)
      .def_property_readonly("total", &Confusion::total)
      .def_property_readonly("accuracy", &Confusion::accuracy)
      .def_property_readonly("sensitivity", &Confusion::sensitivity)
      .def_property_readonly("specificity", &Confusion::specificity)
      .def_property_readonly("positive_predictive_value", &Confusion::positive_predictive_value)
      .def_property_readonly("negative_predictive_value", &Confusion::negative_predictive_value)
      .def_property_readonly("f1", &Confusion::f1);
  m.def(
      "confusion",
      [](const DoubleArray& truth, const DoubleArray& scores, double threshold) {
        return confusion_at(labels_from(truth), span_of(scores), threshold);
      },
      py::arg("truth"), py::arg("scores"), py::arg("threshold") = 0.5,
      R"(Counts the decisions `scores >= threshold` (decisions of 0 and 1 are scores too).

Parameters
----------
truth : 0 or 1 for each case
scores : a number for each case)");
}

void bind_curves(py::module_& m) {
  m.def(
      "roc_curve",
      [](const DoubleArray& truth, const DoubleArray& scores) {
        const auto curve = roc_curve(rank(labels_from(truth), span_of(scores)));
        return py::make_tuple(to_numpy(curve.false_positive_rate), to_numpy(curve.true_positive_rate),
                              to_numpy(curve.thresholds));
      },
      py::arg("truth"), py::arg("scores"),
      "(false positive rate, true positive rate, thresholds), thresholds descending from infinity.");
  m.def(
      "pr_curve",
      [](const DoubleArray& truth, const DoubleArray& scores) {
        const auto curve = pr_curve(rank(labels_from(truth), span_of(scores)));
        return py::make_tuple(to_numpy(curve.recall), to_numpy(curve.precision), to_numpy(curve.thresholds));
      },
      py::arg("truth"), py::arg("scores"),
      "(recall, precision, thresholds), thresholds descending from infinity, where precision is set to 1.");
  m.def(
      "choose_threshold",
      [](const DoubleArray& truth, const DoubleArray& probabilities, std::optional<double> sensitivity,
         std::optional<std::pair<double, double>> cost) {
        const auto ranking = rank(labels_from(truth), span_of(probabilities));
        const auto choice = sensitivity ? threshold_for_sensitivity(ranking, *sensitivity)
                            : cost      ? threshold_by_cost(ranking, cost->first, cost->second)
                                        : threshold_by_youden(ranking);
        return py::make_tuple(choice.threshold, choice.counts);
      },
      py::arg("truth"), py::arg("probabilities"), py::kw_only(), py::arg("sensitivity") = py::none(),
      py::arg("cost") = py::none(),
      R"((threshold, Confusion): by Youden's index, or for a wanted sensitivity, or the least cost = (miss, false alarm).

The threshold lies half-way between two probabilities.)");
  const auto area = [&](const char* name, double Areas::*which, const char* doc) {
    m.def(
        name,
        [which](const DoubleArray& truth, const DoubleArray& scores) {
          return areas(rank(labels_from(truth), span_of(scores))).*which;
        },
        py::arg("truth"), py::arg("scores"), doc);
  };
  area("roc_auc", &Areas::roc_auc, "Area under the ROC curve, ties counting one half; NaN with one class only.");
  area("average_precision", &Areas::average_precision, "Without interpolation; NaN without positive cases.");
  area("pr_auc", &Areas::pr_auc, "Trapezoids under the PR curve; NaN without positive cases.");

  py::class_<DelongTest>(m, "DelongTest", "A two-sided test of equal areas under two ROC curves of the same cases.")
      .def_readonly("auc_a", &DelongTest::auc_a)
      .def_readonly("auc_b", &DelongTest::auc_b)
      .def_readonly("difference", &DelongTest::difference)
      .def_readonly("standard_error", &DelongTest::standard_error)
      .def_readonly("z", &DelongTest::z)
      .def_readonly("p_value", &DelongTest::p_value)
      .def_property_readonly("interval", [](const DelongTest& t) { return to_tuple(t.interval); });
  m.def(
      "delong",
      [](const DoubleArray& truth, const std::vector<DoubleArray>& scores) {
        std::vector<Scores> spans;
        for (const auto& one : scores) spans.push_back(span_of(one));
        const auto found = delong(labels_from(truth), spans);
        return py::make_tuple(found.auc, found.covariance);
      },
      py::arg("truth"), py::arg("scores"),
      "(areas, their covariance) of several scores of the same cases, by DeLong's method.");
  m.def(
      "delong_interval",
      [](double auc, double variance, double confidence) {
        return to_tuple(delong_interval(auc, variance, confidence));
      },
      py::arg("auc"), py::arg("variance"), py::arg("confidence") = 0.95, "(low, high), cut to [0, 1].");
  m.def(
      "delong_test",
      [](const DoubleArray& truth, const DoubleArray& a, const DoubleArray& b, double confidence) {
        return delong_test(labels_from(truth), span_of(a), span_of(b), confidence);
      },
      py::arg("truth"), py::arg("a"), py::arg("b"), py::arg("confidence") = 0.95);
}

void bind_bootstrap(py::module_& m) {
  py::class_<BootstrapInterval>(m, "BootstrapInterval")
      .def_property_readonly("interval", [](const BootstrapInterval& b) { return to_tuple(b.interval); })
      .def_readonly("standard_error", &BootstrapInterval::standard_error)
      .def_readonly("resamples", &BootstrapInterval::resamples, "That gave a value.")
      .def_readonly("degenerate", &BootstrapInterval::degenerate, "That gave NaN, and were left out.");
  m.def(
      "bootstrap",
      [](const py::function& statistic, std::size_t rows, const py::object& patients, std::int64_t resamples,
         std::uint64_t seed, double confidence) {
        const auto numbers = patients_from(patients, rows);
        const auto call = [&](std::span<const std::uint32_t> multiplicity, std::span<double> values) {
          std::vector<std::int64_t> drawn;
          for (std::size_t row = 0; row < multiplicity.size(); ++row) {
            drawn.insert(drawn.end(), multiplicity[row], std::int64_t(row));
          }
          values[0] = statistic(py::array_t<std::int64_t>(py::ssize_t(drawn.size()), drawn.data())).cast<double>();
        };
        return bootstrap(numbers, 1, call, bootstrap_options(resamples, seed, confidence, 1)).front();
      },
      py::arg("statistic"), py::arg("rows"), py::arg("patients") = py::none(), py::arg("resamples") = 2000,
      py::arg("seed") = 0, py::arg("confidence") = 0.95,
      R"(The percentile bootstrap of any statistic, by patient.

Parameters
----------
statistic : callable
    Of an array of row indices (a row that was drawn twice occurs twice) to a number; NaN: degenerate.
rows : int
patients : the patient of each row; None: each row is a patient

Returns
-------
BootstrapInterval)");
  m.def(
      "bootstrap_areas",
      [](const DoubleArray& truth, const DoubleArray& scores, const py::object& patients, std::int64_t resamples,
         std::uint64_t seed, double confidence, int threads) {
        const auto ranking = rank(labels_from(truth), span_of(scores));
        const auto numbers = patients_from(patients, ranking.rows.size());
        std::vector<BootstrapInterval> found;
        {
          const py::gil_scoped_release release;
          const auto call = [&](std::span<const std::uint32_t> multiplicity, std::span<double> values) {
            const auto drawn = areas(ranking, multiplicity);
            values[0] = drawn.roc_auc, values[1] = drawn.average_precision, values[2] = drawn.pr_auc;
          };
          found = bootstrap(numbers, 3, call, bootstrap_options(resamples, seed, confidence, threads));
        }
        py::dict named;
        named["roc_auc"] = found[0], named["average_precision"] = found[1], named["pr_auc"] = found[2];
        return named;
      },
      py::arg("truth"), py::arg("scores"), py::arg("patients") = py::none(), py::arg("resamples") = 2000,
      py::arg("seed") = 0, py::arg("confidence") = 0.95, py::arg("threads") = 0,
      R"(Bootstrap intervals of roc_auc, average_precision and pr_auc, in one pass.

The resamples are those of `bootstrap` with the same seed, on any number of threads.)");
}

void bind_agreement(py::module_& m) {
  py::class_<McNemar>(m, "McNemar")
      .def_readonly("only_a", &McNemar::only_a, "Cases that only a got right.")
      .def_readonly("only_b", &McNemar::only_b)
      .def_readonly("exact_p", &McNemar::exact_p)
      .def_readonly("chi2", &McNemar::chi2, "With continuity correction; NaN without discordant cases.")
      .def_readonly("chi2_p", &McNemar::chi2_p);
  m.def(
      "mcnemar", [](std::int64_t only_a, std::int64_t only_b) { return mcnemar(only_a, only_b); }, py::arg("only_a"),
      py::arg("only_b"), "From the counts of discordant cases.");
  m.def(
      "mcnemar",
      [](const DoubleArray& truth, const DoubleArray& a, const DoubleArray& b) {
        return mcnemar(Labels(labels_from(truth)), Labels(labels_from(a)), Labels(labels_from(b)));
      },
      py::arg("truth"), py::arg("a"), py::arg("b"), "From two decisions (0 or 1) on the same cases.");
  py::class_<Kappa>(m, "Kappa")
      .def_readonly("value", &Kappa::value)
      .def_readonly("standard_error", &Kappa::standard_error)
      .def_property_readonly("interval", [](const Kappa& k) { return to_tuple(k.interval); })
      .def("__float__", [](const Kappa& k) { return k.value; });
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
      "Cohen's kappa from the table of two raters' categories (see rating_table).");
  m.def(
      "rating_table",
      [](const std::vector<std::int32_t>& a, const std::vector<std::int32_t>& b, int categories) {
        return rating_table(a, b, categories);
      },
      py::arg("a"), py::arg("b"), py::arg("categories"), "How often a chose i where b chose j.");
  m.def("fleiss_kappa", &fleiss_kappa, py::arg("counts"),
        "Fleiss' kappa; counts[i, j]: how many raters put case i into category j.");
}

void bind_calibration(py::module_& m) {
  py::class_<ReliabilityBin>(m, "ReliabilityBin")
      .def_readonly("low", &ReliabilityBin::low)
      .def_readonly("high", &ReliabilityBin::high)
      .def_readonly("observed", &ReliabilityBin::observed)
      .def_readonly("mean_probability", &ReliabilityBin::mean_probability);
  py::class_<Calibration>(m, "Calibration", "How probabilities compare with frequencies.")
      .def_readonly("brier", &Calibration::brier)
      .def_readonly("expected_error", &Calibration::expected_error, "ECE")
      .def_readonly("largest_error", &Calibration::largest_error, "MCE")
      .def_readonly("bins", &Calibration::bins);
  m.def(
      "calibration",
      [](const DoubleArray& truth, const DoubleArray& probabilities, int bins) {
        return calibration(labels_from(truth), span_of(probabilities), bins);
      },
      py::arg("truth"), py::arg("probabilities"), py::arg("bins") = 10,
      "Brier score, ECE, MCE and the reliability bins.");
  py::class_<BlandAltman>(m, "BlandAltman", "How two ways of measuring differ.")
      .def_readonly("cases", &BlandAltman::cases)
      .def_readonly("bias", &BlandAltman::bias)
      .def_readonly("standard_deviation", &BlandAltman::standard_deviation)
      .def_readonly("mean_absolute_error", &BlandAltman::mean_absolute_error)
      .def_property_readonly("limits", [](const BlandAltman& b) { return to_tuple(b.limits); })
      .def_property_readonly("bias_interval", [](const BlandAltman& b) { return to_tuple(b.bias_interval); })
      .def_property_readonly("low_limit_interval", [](const BlandAltman& b) { return to_tuple(b.low_limit_interval); })
      .def_property_readonly("high_limit_interval",
                             [](const BlandAltman& b) { return to_tuple(b.high_limit_interval); });
  m.def(
      "bland_altman",
      [](const DoubleArray& measured, const DoubleArray& reference, double confidence) {
        return bland_altman(span_of(measured), span_of(reference), confidence);
      },
      py::arg("measured"), py::arg("reference"), py::arg("confidence") = 0.95);
}

}  // namespace

void bind_evaluate(py::module_& m) {
  auto evaluate = m.def_submodule("_evaluate", "Metrics, intervals and tests.");
  bind_special(evaluate);
  bind_proportions(evaluate);
  bind_curves(evaluate);
  bind_bootstrap(evaluate);
  bind_agreement(evaluate);
  bind_calibration(evaluate);
  bind_evaluate_masks(evaluate);
  bind_evaluate_cohort(evaluate);
  bind_evaluate_figures(evaluate);
}

}  // namespace ichdet::python
