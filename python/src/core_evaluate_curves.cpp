#include "core_evaluate.hpp"
#include "ichdet/evaluate/curves.hpp"
#include "ichdet/evaluate/delong.hpp"
#include "ichdet/evaluate/figures.hpp"
#include "ichdet/evaluate/lesion_match.hpp"

namespace ichdet::python {

using namespace evaluate;

namespace {

using Line = py::array_t<double>;

/// Three arrays of equal length with names, that can be unpacked too.
template <class Curve>
void bind_curve(py::module_& m, const char* name, const char* doc,
                const std::array<std::vector<double> Curve::*, 3>& fields, const std::array<const char*, 3>& names,
                const std::array<const char*, 3>& docs) {
  const auto all = [fields](const py::object& self) {
    return py::typing::Tuple<Line, Line, Line>(
        py::make_tuple(array_in(fields[0])(self), array_in(fields[1])(self), array_in(fields[2])(self)));
  };
  py::class_<Curve> curve(m, name, doc);
  for (std::size_t i = 0; i < 3; ++i) curve.def_property_readonly(names[i], array_in(fields[i]), docs[i]);
  curve.def("__len__", [](const Curve&) { return 3; })
      .def(
          "__iter__", [all](const py::object& self) { return py::typing::Iterator<Line>(py::iter(all(self))); },
          "The three arrays, in the order of the fields.")
      .def(
          "__getitem__",
          [all](const py::object& self, std::int64_t i) {
            if (i < -3 || i > 2) throw py::index_error("a curve has three arrays");
            return Line(all(self)[std::size_t(i < 0 ? i + 3 : i)]);
          },
          py::arg("index"), "One of the three arrays.")
      .def(
          "to_dict",
          [fields, names](const Curve& c) {
            std::map<std::string, std::vector<double>> values;
            for (std::size_t i = 0; i < 3; ++i) values[names[i]] = c.*fields[i];
            return values;
          },
          "The fields as lists of numbers, by name.")
      .def("__repr__", [name = std::string(name), fields](const Curve& c) {
        return "<ichdet.evaluate." + name + " of " + std::to_string((c.*fields[0]).size()) + " points>";
      });
}

void bind_curve_types(py::module_& m) {
  bind_curve<RocCurve>(m, "RocCurve",
                       R"(A receiver operating characteristic, from (0, 0) on; what roc_curve returns.

Unpacks into its three arrays of equal length.

Examples
--------
>>> curve = ichdet.evaluate.roc_curve([0, 1, 0, 1], [0.1, 0.4, 0.5, 0.9])
>>> curve.true_positive_rate
array([0. , 0.5, 0.5, 1. , 1. ])
>>> fpr, tpr, thresholds = curve
>>> round(float(np.trapezoid(tpr, fpr)), 3)
0.75)",
                       {&RocCurve::false_positive_rate, &RocCurve::true_positive_rate, &RocCurve::thresholds},
                       {"false_positive_rate", "true_positive_rate", "thresholds"},
                       {"1 - specificity at each threshold; NaN without negative cases.",
                        "Sensitivity at each threshold; NaN without positive cases.",
                        "Descending from infinity; a case is positive from one on."});
  bind_curve<PrCurve>(m, "PrCurve", R"(Precision and recall at each threshold; what pr_curve returns.

Unpacks into its three arrays of equal length.

Examples
--------
>>> curve = ichdet.evaluate.pr_curve([0, 1, 0, 1], [0.1, 0.4, 0.5, 0.9])
>>> curve.recall, curve.precision.round(2)
(array([0. , 0.5, 0.5, 1. , 1. ]), array([1.  , 1.  , 0.5 , 0.67, 0.5 ])))",
                      {&PrCurve::recall, &PrCurve::precision, &PrCurve::thresholds},
                      {"recall", "precision", "thresholds"},
                      {"Sensitivity at each threshold; NaN without positive cases.",
                       "Positive predictive value at each threshold; 1 at infinity, by convention.",
                       "Descending from infinity; a case is positive from one on."});
  bind_curve<FrocCurve>(m, "FrocCurve",
                        R"(Sensitivity to lesions against false positives per image; what froc returns.

Unpacks into its three arrays of equal length.

Examples
--------
>>> truth = np.zeros((1, 4, 8), bool); truth[0, :2, :2] = True
>>> found = truth.copy(); found[0, 3, 6:] = True
>>> curve = ichdet.evaluate.froc([ichdet.evaluate.match_lesions(found, truth)])
>>> curve.false_positives_per_image, curve.sensitivity
(array([0., 1.]), array([0., 1.])))",
                        {&FrocCurve::false_positives_per_image, &FrocCurve::sensitivity, &FrocCurve::thresholds},
                        {"false_positives_per_image", "sensitivity", "thresholds"},
                        {"Predicted pieces that are no lesion, by image.", "Lesions found, of all; NaN without any.",
                         "Descending from infinity; a piece counts from one on."});
}

void bind_curves(py::module_& m) {
  m.def(
      "roc_curve",
      [](const LabelArray& truth, const DoubleArray& scores) {
        const auto unlocked = unlocked_for(truth.size());
        return roc_curve(rank(truth, span_of(scores)));
      },
      py::arg("truth"), py::arg("scores"),
      R"(The receiver operating characteristic, a point for each distinct score.

Parameters
----------
truth : (cases,) array
    0 or 1; bool and uint8 are read in place.
scores : (cases,) array
    Finite, the higher the more positive; float64 is read in place.

Returns
-------
RocCurve
    false_positive_rate, true_positive_rate, thresholds: float64 arrays of equal length, thresholds descending from
    infinity. Decisions are "score >= threshold". Equals scikit-learn's with drop_intermediate=False.

Raises
------
ichdet.Error
    `shape` where the lengths differ, `options` where a score is not finite or the truth is neither 0 nor 1.

Examples
--------
>>> curve = ichdet.evaluate.roc_curve([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
>>> curve.false_positive_rate, curve.true_positive_rate
(array([0. , 0. , 0.5, 0.5, 1. ]), array([0. , 0.5, 0.5, 1. , 1. ]))
>>> curve.thresholds
array([ inf, 0.8 , 0.4 , 0.35, 0.1 ]))");
  m.def(
      "pr_curve",
      [](const LabelArray& truth, const DoubleArray& scores) {
        const auto unlocked = unlocked_for(truth.size());
        return pr_curve(rank(truth, span_of(scores)));
      },
      py::arg("truth"), py::arg("scores"),
      R"(Precision against recall, a point for each distinct score.

Parameters
----------
truth : (cases,) array
    0 or 1; bool and uint8 are read in place.
scores : (cases,) array
    Finite, the higher the more positive; float64 is read in place.

Returns
-------
PrCurve
    recall, precision, thresholds: float64 arrays of equal length, thresholds descending from infinity, where precision
    is set to 1 as in scikit-learn (whose arrays run the other way).

Raises
------
ichdet.Error
    `shape` where the lengths differ, `options` where a score is not finite or the truth is neither 0 nor 1.

Examples
--------
>>> recall, precision, thresholds = ichdet.evaluate.pr_curve([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
>>> recall, precision.round(2)
(array([0. , 0.5, 0.5, 1. , 1. ]), array([1.  , 1.  , 0.5 , 0.67, 0.5 ])))");
  py::class_<Areas>(m, "Areas", R"(The areas under a ROC and a precision-recall curve; what areas returns.

Examples
--------
>>> found = ichdet.evaluate.areas([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
>>> found
<ichdet.evaluate.Areas ROC 0.75, average precision 0.8333, PR 0.7917>)")
      .def_readonly("roc_auc", &Areas::roc_auc, "Ties count one half; NaN with one class only.")
      .def_readonly("average_precision", &Areas::average_precision,
                    "Precision times step in recall, without interpolation; NaN without positive cases.")
      .def_readonly("pr_auc", &Areas::pr_auc, "Trapezoids under the PR curve; NaN without positive cases.")
      .def("__repr__", [](const Areas& a) {
        return "<ichdet.evaluate.Areas ROC " + few_digits(a.roc_auc) + ", average precision " +
               few_digits(a.average_precision) + ", PR " + few_digits(a.pr_auc) + ">";
      });
  const auto areas_of = [](const LabelArray& truth, const DoubleArray& scores) {
    const auto unlocked = unlocked_for(truth.size());
    return areas(rank(truth, span_of(scores)));
  };
  m.def("areas", areas_of, py::arg("truth"), py::arg("scores"),
        R"(The ROC area, average precision and PR area at once, for the price of one.

Parameters
----------
truth : (cases,) array
    0 or 1; bool and uint8 are read in place.
scores : (cases,) array
    Finite, the higher the more positive; float64 is read in place.

Returns
-------
Areas

Raises
------
ichdet.Error
    `shape` where the lengths differ, `options` where a score is not finite or the truth is neither 0 nor 1.

Examples
--------
>>> found = ichdet.evaluate.areas([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
>>> found.roc_auc, round(found.average_precision, 4)
(0.75, 0.8333))");
  const auto area = [&](const char* name, double Areas::*which, const char* doc) {
    m.def(
        name,
        [which, areas_of](const LabelArray& truth, const DoubleArray& scores) {
          return areas_of(truth, scores).*which;
        },
        py::arg("truth"), py::arg("scores"), doc);
  };
  area("roc_auc", &Areas::roc_auc, R"(The area under the ROC curve, ties counting one half.

Parameters
----------
truth : (cases,) array
    0 or 1; bool and uint8 are read in place.
scores : (cases,) array
    Finite, the higher the more positive; float64 is read in place.

Returns
-------
float
    NaN with one class only. The exact fraction, rounded once.

Raises
------
ichdet.Error
    `shape` where the lengths differ, `options` where a score is not finite or the truth is neither 0 nor 1.

Examples
--------
>>> ichdet.evaluate.roc_auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
0.75)");
  area("average_precision", &Areas::average_precision,
       R"(Average precision: the sum of precision times step in recall, without interpolation.

Parameters
----------
truth : (cases,) array
    0 or 1; bool and uint8 are read in place.
scores : (cases,) array
    Finite, the higher the more positive; float64 is read in place.

Returns
-------
float
    NaN without positive cases. Equals scikit-learn's average_precision_score.

Raises
------
ichdet.Error
    `shape` where the lengths differ, `options` where a score is not finite or the truth is neither 0 nor 1.

Examples
--------
>>> round(ichdet.evaluate.average_precision([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]), 4)
0.8333)");
  area("pr_auc", &Areas::pr_auc, R"(The trapezoids under the precision-recall curve, which is a little optimistic.

Parameters
----------
truth : (cases,) array
    0 or 1; bool and uint8 are read in place.
scores : (cases,) array
    Finite, the higher the more positive; float64 is read in place.

Returns
-------
float
    NaN without positive cases.

Raises
------
ichdet.Error
    `shape` where the lengths differ, `options` where a score is not finite or the truth is neither 0 nor 1.

Examples
--------
>>> round(ichdet.evaluate.pr_auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]), 4)
0.7917)");
  m.def(
      "sensitivity_at",
      [](const LabelArray& truth, const DoubleArray& scores, double specificity) {
        const auto unlocked = unlocked_for(truth.size());
        return sensitivity_at(rank(truth, span_of(scores)), specificity);
      },
      py::arg("truth"), py::arg("scores"), py::arg("specificity") = FiguresOptions{}.specificity,
      R"(The highest sensitivity among the thresholds that leave at least a specificity.

Parameters
----------
truth : (cases,) array
    0 or 1; bool and uint8 are read in place.
scores : (cases,) array
    Finite, the higher the more positive; float64 is read in place.
specificity : float
    In [0, 1].

Returns
-------
float
    NaN without both classes.

Raises
------
ichdet.Error
    `shape` where the lengths differ, `options` where a score is not finite or the truth is neither 0 nor 1.

Examples
--------
>>> ichdet.evaluate.sensitivity_at([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], specificity=0.9)
0.5)");
}

void bind_delong(py::module_& m) {
  py::class_<DelongTest>(m, "DelongTest", R"(A two-sided test of equal areas under two ROC curves of the same cases.

Examples
--------
>>> test = ichdet.evaluate.delong_test([0, 0, 1, 1, 1], [0.1, 0.4, 0.35, 0.8, 0.7], [0.3, 0.2, 0.1, 0.9, 0.8])
>>> test
<ichdet.evaluate.DelongTest 0.8333 - 0.6667 = 0.1667, p = 0.4795>)")
      .def_readonly("auc_a", &DelongTest::auc_a, "Of the first score.")
      .def_readonly("auc_b", &DelongTest::auc_b, "Of the second.")
      .def_readonly("difference", &DelongTest::difference, "auc_a - auc_b.")
      .def_readonly("standard_error", &DelongTest::standard_error, "Of the difference.")
      .def_readonly("z", &DelongTest::z, "difference / standard_error; 0 of equal rankings.")
      .def_readonly("p_value", &DelongTest::p_value, "Two-sided; NaN where a class has fewer than two cases.")
      .def_property_readonly(
          "interval", [](const DelongTest& t) { return pair_of(t.interval); }, "(low, high) of the difference.")
      .def("__repr__", [](const DelongTest& t) {
        return "<ichdet.evaluate.DelongTest " + few_digits(t.auc_a) + " - " + few_digits(t.auc_b) + " = " +
               few_digits(t.difference) + ", p = " + few_digits(t.p_value) + ">";
      });
  m.def(
      "delong",
      [](const LabelArray& truth, const std::vector<DoubleArray>& scores) {
        std::vector<Scores> spans;
        for (const auto& one : scores) spans.push_back(span_of(one));
        const auto unlocked = unlocked_for(truth.size() * spans.size());
        const auto found = delong(truth, spans);
        return std::pair(found.auc, found.covariance);
      },
      py::arg("truth"), py::arg("scores"),
      R"(Areas under the ROC curves of several scores of the same cases, and how they vary together.

Parameters
----------
truth : (cases,) array
    0 or 1; bool and uint8 are read in place.
scores : list of (cases,) arrays
    Finite; float64 is read in place. The rows of a (scores, cases) array will do.

Returns
-------
auc : (scores,) float64 array
    NaN where a class has no case.
covariance : (scores, scores) float64 array
    NaN where a class has fewer than two cases.

Raises
------
ichdet.Error
    `shape` where lengths differ, `options` where a score is not finite or the truth is neither 0 nor 1.

Notes
-----
DeLong, DeLong and Clarke-Pearson (Biometrics 1988), from ranks after Sun and Xu (IEEE Signal Processing Letters 2014):
n log n for each score. Cases must be independent; for several rows of a patient use the bootstrap.

Examples
--------
>>> truth = [0, 0, 0, 1, 1, 1]
>>> auc, covariance = ichdet.evaluate.delong(truth, [[1, 2, 4, 3, 5, 6], [2, 1, 5, 4, 3, 6]])
>>> auc.round(3)
array([0.889, 0.778])
>>> np.sqrt(np.diag(covariance)).round(3)  # standard errors
array([0.157, 0.248]))");
  m.def(
      "delong_interval",
      [](double auc, double variance, double confidence) {
        return pair_of(delong_interval(auc, variance, confidence));
      },
      py::arg("auc"), py::arg("variance"), py::arg("confidence") = 0.95,
      R"(auc -+ z sqrt(variance), cut to [0, 1].

Parameters
----------
auc, variance : float
    As delong gives them.
confidence : float
    In (0, 1).

Returns
-------
low, high : float
    Of no width at an area of exactly 0 or 1, where the method knows no variance.

Raises
------
ichdet.Error
    `options`, where the confidence is out of its range.

Examples
--------
>>> low, high = ichdet.evaluate.delong_interval(0.9, 0.02 ** 2)
>>> round(low, 3), round(high, 3)
(0.861, 0.939))");
  m.def(
      "delong_test",
      [](const LabelArray& truth, const DoubleArray& a, const DoubleArray& b, double confidence) {
        const auto unlocked = unlocked_for(truth.size());
        return delong_test(truth, span_of(a), span_of(b), confidence);
      },
      py::arg("truth"), py::arg("a"), py::arg("b"), py::arg("confidence") = 0.95,
      R"(Whether two scores of the same cases have equal areas under their ROC curves.

Parameters
----------
truth : (cases,) array
    0 or 1; bool and uint8 are read in place.
a, b : (cases,) array
    Finite; float64 is read in place.
confidence : float
    Of the difference's interval, in (0, 1).

Returns
-------
DelongTest

Raises
------
ichdet.Error
    `shape` where lengths differ, `options` where a score is not finite or the truth is neither 0 nor 1.

Notes
-----
Paired, after DeLong, DeLong and Clarke-Pearson (Biometrics 1988).

Examples
--------
>>> test = ichdet.evaluate.delong_test([0, 0, 1, 1, 1], [0.1, 0.4, 0.35, 0.8, 0.7], [0.3, 0.2, 0.1, 0.9, 0.8])
>>> round(test.difference, 4), round(test.p_value, 4)
(0.1667, 0.4795))");
}

}  // namespace

void bind_evaluate_curves(py::module_& m) {
  bind_curve_types(m);
  bind_curves(m);
  bind_delong(m);
}

}  // namespace ichdet::python
