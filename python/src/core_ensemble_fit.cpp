#include <tuple>

#include "core_ensemble.hpp"
#include "ichdet/ensemble/calibrator.hpp"
#include "ichdet/ensemble/slice_rule.hpp"
#include "ichdet/ensemble/weights.hpp"

namespace ichdet::python {

using namespace ensemble;

std::span<const double> table_of(const DoubleArray& values, const std::string& subject) {
  if (values.ndim() == 2) return span_of(values);
  throw Error::mismatch(ErrorCode::shape, subject, "2 axes", std::to_string(values.ndim()));
}

namespace {

using Numbers = std::vector<double>;
using CalibratorState =
    py::typing::Tuple<std::string, double, double, std::optional<std::pair<Numbers, Numbers>>, std::string>;

Calibrator make_calibrator(const std::string& method, double slope, double intercept,
                           const std::optional<std::pair<Numbers, Numbers>>& points, std::string fitted_on) {
  Calibrator calibrator;
  calibrator.method = parse_calibration_method(method);
  calibrator.slope = slope;
  calibrator.intercept = intercept;
  if (points) std::tie(calibrator.from, calibrator.to) = *points;
  calibrator.fitted_on = std::move(fitted_on);
  check(calibrator);
  return calibrator;
}

std::optional<std::pair<Numbers, Numbers>> points_of(const Calibrator& c) {
  if (c.method != CalibrationMethod::isotonic) return {};
  return std::pair(c.from, c.to);
}

JsonObject to_dict(const Calibrator& c) {
  JsonObject fields;
  fields["method"] = to_string(c.method);
  if (c.method == CalibrationMethod::temperature) fields["temperature"] = 1 / c.slope;
  if (c.method == CalibrationMethod::platt) fields["slope"] = c.slope, fields["intercept"] = c.intercept;
  if (c.method == CalibrationMethod::isotonic) {
    std::vector<std::array<double, 2>> points;
    for (std::size_t i = 0; i < c.from.size(); ++i) points.push_back({c.from[i], c.to[i]});
    fields["points"] = points;
  }
  if (!c.fitted_on.empty()) fields["fitted_on"] = c.fitted_on;
  return fields;
}

void bind_calibrator(py::module_& m) {
  py::class_<Calibrator>(m, "Calibrator",
                         R"(Turns what a model says into how often it is true; call it on probabilities.

Parameters
----------
method : str
    "temperature": logit / T. "platt": sigmoid(slope * logit + intercept). "isotonic": any rising function.
slope : float
    Of platt; of temperature 1 / T. Above 0.
intercept : float
    Of platt.
points : (list of float, list of float), optional
    Of isotonic: probabilities, rising, and what they become; linear between them, constant beyond the outermost.
fitted_on : str
    In words.

Raises
------
ichdet.Error
    `options` that names the field which is out of its range.

Notes
-----
Logits are of probabilities clipped to [1e-6, 1 - 1e-6]. What is fitted counts with all but 1e-10, p itself with 1e-10,
so that the result rises on plateaus too.

Examples
--------
>>> halved = ichdet.ensemble.Calibrator("temperature", slope=0.5)
>>> round(halved(0.9), 3), halved(np.array([0.1, 0.5, 0.9])).round(3)
(0.75, array([0.25, 0.5 , 0.75]))
>>> halved.to_dict()
{'method': 'temperature', 'temperature': 2.0})")
      .def(py::init(&make_calibrator), py::arg("method") = to_string(Calibrator{}.method), py::kw_only(),
           py::arg("slope") = Calibrator{}.slope, py::arg("intercept") = Calibrator{}.intercept,
           py::arg("points") = py::none(), py::arg("fitted_on") = "")
      .def_property_readonly(
          "method", [](const Calibrator& c) { return to_string(c.method); }, "temperature, platt or isotonic.")
      .def_readonly("slope", &Calibrator::slope, "Of platt; of temperature 1 / T.")
      .def_readonly("intercept", &Calibrator::intercept, "Of platt.")
      .def_readonly("fitted_on", &Calibrator::fitted_on, "In words.")
      .def_property_readonly(
          "points", [](const Calibrator& c) { return std::pair(to_numpy(c.from), to_numpy(c.to)); },
          "Of isotonic: (probabilities, calibrated), two float64 arrays.")
      .def(
          "__call__", [](const Calibrator& calibrator, double p) { return calibrator(p); },
          py::arg("probability").noconvert(), "Calibrated, in [0, 1].")
      .def(
          "__call__",
          [](const Calibrator& calibrator, const DoubleArray& probabilities) {
            py::array_t<double> values(
                std::vector<py::ssize_t>(probabilities.shape(), probabilities.shape() + probabilities.ndim()));
            const std::span<double> into(values.mutable_data(), std::size_t(values.size()));
            const auto from = span_of(probabilities);
            const auto unlocked = unlocked_for(into.size());
            for (std::size_t i = 0; i < into.size(); ++i) into[i] = calibrator(from[i]);
            return values;
          },
          py::arg("probabilities"), "The same for an array, float64 of its shape.")
      .def("to_dict", &to_dict, "As bundle.json and an ensemble's file have it.")
      .def(
          "__eq__",
          [](const Calibrator& a, const Calibrator& b) {
            return a.method == b.method && a.slope == b.slope && a.intercept == b.intercept && a.from == b.from &&
                   a.to == b.to;
          },
          py::arg("other"), py::is_operator(), "Whether both give the same.")
      .def(py::pickle(
          [](const Calibrator& c) {
            return CalibratorState(
                py::make_tuple(to_string(c.method), c.slope, c.intercept, points_of(c), c.fitted_on));
          },
          [](const CalibratorState& state) {
            return make_calibrator(state[0].cast<std::string>(), state[1].cast<double>(), state[2].cast<double>(),
                                   state[3].cast<std::optional<std::pair<Numbers, Numbers>>>(),
                                   state[4].cast<std::string>());
          }))
      .def("__repr__", [](const Calibrator& c) {
        const auto what = c.method == CalibrationMethod::temperature ? "T = " + few_digits(1 / c.slope)
                          : c.method == CalibrationMethod::platt
                              ? "slope " + few_digits(c.slope) + ", intercept " + few_digits(c.intercept)
                              : std::to_string(c.from.size()) + " points";
        return "<ichdet.ensemble.Calibrator " + to_string(c.method) + ", " + what + ">";
      });
  def_elementwise(m, "clipped_logit", clipped_logit,
                  R"(log(p / (1 - p)) of p clipped to [1e-6, 1 - 1e-6], elementwise.

Parameters
----------
p : float or array

Returns
-------
float or float64 array

Examples
--------
>>> ichdet.ensemble.clipped_logit([0, 0.5, 0.9]).round(3)
array([-13.816,   0.   ,   2.197]))",
                  py::arg("p"));
}

void bind_fits(py::module_& m) {
  m.def(
      "fit_calibrator",
      [](const std::string& method, const DoubleArray& probabilities, const LabelArray& truth, bool soft_targets) {
        const auto which = parse_calibration_method(method);
        const auto unlocked = unlocked_for(truth.size());
        if (which == CalibrationMethod::platt) return fit_platt(span_of(probabilities), truth, soft_targets);
        return fit_calibrator(which, span_of(probabilities), truth);
      },
      py::arg("method"), py::arg("probabilities"), py::arg("truth"), py::kw_only(), py::arg("soft_targets") = true,
      R"(A Calibrator, from cases that the model did not learn from.

Parameters
----------
method : str
    "temperature", "platt" or "isotonic".
probabilities : (cases,) array
    In [0, 1]; float64 is read in place.
truth : (cases,) array
    0 or 1; bool and uint8 are read in place.
soft_targets : bool
    Of platt: positives count as (n + 1) / (n + 2), negatives as 1 / (n + 2), so that few cases do not give certainty;
    False: as 1 and 0.

Returns
-------
Calibrator

Raises
------
ichdet.Error
    `shape` where the lengths differ, `options` where a probability is not in [0, 1], the truth is all of one kind, or
    (temperature, platt) the probabilities do not rise with the truth or tell the cases apart without an error.

Notes
-----
Temperature: Guo et al. 2017. Platt's own targets: Platt 1999; the minimum of scikit-learn's
CalibratedClassifierCV(method="sigmoid") on logits. Isotonic: scikit-learn's IsotonicRegression(y_min=0, y_max=1,
out_of_bounds="clip").

Examples
--------
>>> p, truth = [0.1, 0.3, 0.6, 0.4, 0.8, 0.9], [0, 0, 0, 1, 1, 1]
>>> ichdet.ensemble.fit_calibrator("isotonic", p, truth)([0.2, 0.5, 0.85]).round(2)
array([0. , 0.5, 1. ])
>>> ichdet.ensemble.fit_calibrator("platt", p, truth)
<ichdet.ensemble.Calibrator platt, slope 0.6245, intercept -0.05933>)");
  m.def(
      "fit_temperature",
      [](const DoubleArray& probabilities, const LabelArray& truth) {
        const auto unlocked = unlocked_for(truth.size());
        return fit_temperature(span_of(probabilities), truth);
      },
      py::arg("probabilities"), py::arg("truth"), R"(The temperature of the least log loss, as fit_calibrator.

Parameters
----------
probabilities : (cases,) array
    In [0, 1]; float64 is read in place.
truth : (cases,) array
    0 or 1; bool and uint8 are read in place.

Returns
-------
Calibrator

Raises
------
ichdet.Error
    As fit_calibrator.

Notes
-----
Guo et al. 2017, by Newton's method.

Examples
--------
>>> ichdet.ensemble.fit_temperature([0.1, 0.3, 0.6, 0.4, 0.8, 0.9], [0, 0, 0, 1, 1, 1])
<ichdet.ensemble.Calibrator temperature, T = 0.6843>)");
  m.def(
      "fit_platt",
      [](const DoubleArray& probabilities, const LabelArray& truth, bool soft_targets) {
        const auto unlocked = unlocked_for(truth.size());
        return fit_platt(span_of(probabilities), truth, soft_targets);
      },
      py::arg("probabilities"), py::arg("truth"), py::arg("soft_targets") = true,
      R"(Slope and intercept of the least log loss, as fit_calibrator.

Parameters
----------
probabilities : (cases,) array
    In [0, 1]; float64 is read in place.
truth : (cases,) array
    0 or 1; bool and uint8 are read in place.
soft_targets : bool
    Platt's own targets; False: 1 and 0.

Returns
-------
Calibrator

Raises
------
ichdet.Error
    As fit_calibrator.

Notes
-----
Platt 1999, on logits; by Newton's method, unpenalised.

Examples
--------
>>> ichdet.ensemble.fit_platt([0.1, 0.3, 0.6, 0.4, 0.8, 0.9], [0, 0, 0, 1, 1, 1])
<ichdet.ensemble.Calibrator platt, slope 0.6245, intercept -0.05933>)");
  m.def(
      "fit_isotonic",
      [](const DoubleArray& probabilities, const LabelArray& truth) {
        const auto unlocked = unlocked_for(truth.size());
        return fit_isotonic(span_of(probabilities), truth);
      },
      py::arg("probabilities"), py::arg("truth"), R"(The closest rising function in squares, as fit_calibrator.

Parameters
----------
probabilities : (cases,) array
    In [0, 1]; float64 is read in place. Equal ones count as one point.
truth : (cases,) array
    0 or 1; bool and uint8 are read in place.

Returns
-------
Calibrator

Raises
------
ichdet.Error
    As fit_calibrator.

Notes
-----
By pooling adjacent violators.

Examples
--------
>>> fitted = ichdet.ensemble.fit_isotonic([0.1, 0.3, 0.6, 0.4, 0.8, 0.9], [0, 0, 0, 1, 1, 1])
>>> fitted.points
(array([0.1, 0.3, 0.4, 0.6, 0.8, 0.9]), array([0. , 0. , 0.5, 0.5, 1. , 1. ])))");
}

void bind_calibrate(py::module_& m) {
  m.def(
      "calibrate",
      [](StudyResult& result, std::optional<Calibrator> study, std::optional<Calibrator> slice,
         std::optional<Calibrator> lesion, std::optional<double> threshold) {
        calibrate(result, {std::move(study), std::move(slice), std::move(lesion)}, threshold);
      },
      py::arg("result"), py::kw_only(), py::arg("study") = py::none(), py::arg("slice") = py::none(),
      py::arg("lesion") = py::none(), py::arg("threshold") = py::none(),
      R"(Calibrates what a result says, in place, and keeps what it said before in its raw_... fields.

Parameters
----------
result : StudyResult
    Changed in place.
study, slice, lesion : Calibrator, optional
    Of the decision's probability, of each slice's, of each lesion's confidence; None: it stays.
threshold : float, optional
    On the scale of the result's probability: the decision is made anew. None: it stands, and its threshold becomes the
    calibrated one.

Raises
------
ichdet.Error
    `options`, for a calibrator that is none.

Examples
--------
>>> result = ichdet.StudyResult()
>>> decision = ichdet.PatientDecision()
>>> decision.positive, decision.probability = True, 0.9
>>> result.decision = decision
>>> ichdet.ensemble.calibrate(result, study=ichdet.ensemble.Calibrator("temperature", slope=0.5))
>>> round(result.decision.probability, 3), result.decision.raw_probability, result.decision.calibrated
(0.75, 0.9, True))");
}

void bind_weights(py::module_& m) {
  m.def(
      "fit_nonnegative",
      [](const DoubleArray& probabilities, const DoubleArray& truth) {
        const auto values = table_of(probabilities, "fit_nonnegative: probabilities");
        if (probabilities.shape(0) != truth.size()) {
          throw Error::mismatch(ErrorCode::shape, "fit_nonnegative: truth",
                                std::to_string(probabilities.shape(0)) + " cases", std::to_string(truth.size()));
        }
        const auto weights = [&] {
          const auto unlocked = unlocked_for(values.size());
          return fit_nonnegative(values, span_of(truth));
        }();
        return to_numpy(weights);
      },
      py::arg("probabilities"), py::arg("truth"),
      R"(Weights from 0 on that bring the members' weighted sum nearest to the truth in squares.

Parameters
----------
probabilities : (cases, members) array
    A case may be a study, a slice or a voxel; contiguous float64 is read in place.
truth : (cases,) array
    Of any numbers.

Returns
-------
(members,) float64 array
    They need not sum to 1; combine(rule="mean") scales them.

Raises
------
ichdet.Error
    `shape` where sizes disagree, `options` where a value is not finite.

Notes
-----
Lawson and Hanson's active sets, exact up to rounding. Equals scipy.optimize.nnls.

Examples
--------
>>> p = np.array([[0.9, 0.2], [0.8, 0.7], [0.1, 0.6], [0.3, 0.1]])
>>> ichdet.ensemble.fit_nonnegative(p, [1, 1, 0, 0]).round(3)
array([1.097, 0.   ]))");
  const LogisticFitOptions defaults;
  m.def(
      "fit_stacking",
      [](const DoubleArray& probabilities, const LabelArray& truth, double l2, int max_iterations, double tolerance) {
        const auto values = table_of(probabilities, "fit_stacking: probabilities");
        if (std::size_t(probabilities.shape(0)) != truth.size()) {
          throw Error::mismatch(ErrorCode::shape, "fit_stacking: truth",
                                std::to_string(probabilities.shape(0)) + " cases", std::to_string(truth.size()));
        }
        const auto unlocked = unlocked_for(values.size());
        return fit_stacking(values, truth, {l2, max_iterations, tolerance});
      },
      py::arg("probabilities"), py::arg("truth"), py::arg("l2") = defaults.l2,
      py::arg("max_iterations") = defaults.max_iterations, py::arg("tolerance") = defaults.tolerance,
      R"(Logistic stacking: fit_logistic of the members' clipped_logit.

Parameters
----------
probabilities : (cases, members) array
    In [0, 1]; contiguous float64 is read in place.
truth : (cases,) array
    0 or 1; bool and uint8 are read in place.
l2 : float
    Strength of the penalty l2 / 2 |weights|^2, above 0; the intercept is free.
max_iterations : int
    Of Newton's method.
tolerance : float
    The largest slope of the loss that counts as 0, relative to the number of cases.

Returns
-------
LogisticModel
    Its intercept and weights are what combine(rule="stacking") takes.

Raises
------
ichdet.Error
    `shape` where sizes disagree, `options` where a probability is not in [0, 1], the truth is all of one kind or
    max_iterations do not suffice.

Examples
--------
>>> p = np.array([[0.9, 0.2], [0.8, 0.7], [0.1, 0.6], [0.3, 0.1]])
>>> model = ichdet.ensemble.fit_stacking(p, [1, 1, 0, 0])
>>> round(model.intercept, 3), np.round(model.weights, 3)
(0.032, array([0.974, 0.301])))");
}

void bind_slice_rule(py::module_& m) {
  py::class_<SliceEvidence>(m, "SliceEvidence", R"(What an ensemble's members say about one slice, in [0, 1].

Parameters
----------
map : float
    Mean probability of the 20 mm2 where blood is likeliest.
area : float
    (1 + a) / (101 + a), a being the mm2 where blood is likelier than not.
classifier : float
    Mean of the slice classifiers; one half: none was asked.

Examples
--------
>>> ichdet.ensemble.SliceEvidence(map=0.9, area=0.5).values
[0.9, 0.5, 0.5])")
      .def(py::init([](double map, double area, double classifier) {
             return SliceEvidence{map, area, classifier};
           }),
           py::kw_only(), py::arg("map") = SliceEvidence{}.map, py::arg("area") = SliceEvidence{}.area,
           py::arg("classifier") = SliceEvidence{}.classifier)
      .def_readonly("map", &SliceEvidence::map, "Of the segmenters' map.")
      .def_readonly("area", &SliceEvidence::area, "Of the segmenters' outline.")
      .def_readonly("classifier", &SliceEvidence::classifier, "Of the slice classifiers.")
      .def_property_readonly("values", &SliceEvidence::values, "[map, area, classifier].");
  m.def(
      "slice_evidence",
      [](const FloatArray& blood, double pixel_mm2, std::optional<double> classifier) {
        return slice_evidence({blood.data(), std::size_t(blood.size())}, pixel_mm2, classifier);
      },
      py::arg("blood"), py::arg("pixel_mm2"), py::arg("classifier") = py::none(),
      R"(Evidence of blood in one slice.

Parameters
----------
blood : (rows, columns) float32 array
    Probability of each pixel; contiguous float32 is read in place.
pixel_mm2 : float
    Area of a pixel, above 0.
classifier : float, optional
    What the slice classifiers say.

Returns
-------
SliceEvidence

Raises
------
ichdet.Error
    `options`, unless the area is above 0.

Examples
--------
>>> blood = np.zeros((16, 16), np.float32); blood[4:8, 4:8] = 0.9
>>> evidence = ichdet.ensemble.slice_evidence(blood, pixel_mm2=1.0)
>>> round(evidence.map, 3), round(evidence.area, 3), evidence.classifier
(0.72, 0.145, 0.5))");
  py::class_<SliceRule>(m, "SliceRule", R"(How likely a slice shows blood: sigmoid(intercept + weights . logits).

Parameters
----------
intercept : float
weights : (float, float, float)
    Of the logits of map, area and classifier.
fade_below : float
    In [0, 1]: see `fade`.
fitted_on : str
    In words.

Raises
------
ichdet.Error
    `options` that names the field which is out of its range.

Examples
--------
>>> rule = ichdet.ensemble.SliceRule(intercept=-1, weights=(0.5, 0.2, 1), fade_below=0.2)
>>> round(rule(ichdet.ensemble.SliceEvidence(map=0.9, area=0.5, classifier=0.8)), 3)
0.815
>>> rule.fade(0.1), rule.fade(0.7)
(0.5, 1.0))")
      .def(py::init(
               [](double intercept, const std::array<double, 3>& weights, double fade_below, std::string fitted_on) {
                 SliceRule rule{intercept, weights, fade_below, std::move(fitted_on)};
                 check(rule);
                 return rule;
               }),
           py::kw_only(), py::arg("intercept") = SliceRule{}.intercept,
           py::arg_v("weights", SliceRule{}.weights, "(0.0, 0.0, 0.0)"), py::arg("fade_below") = SliceRule{}.fade_below,
           py::arg("fitted_on") = "")
      .def_readonly("intercept", &SliceRule::intercept, "Of the logit.")
      .def_readonly("weights", &SliceRule::weights, "Of the logits of map, area and classifier.")
      .def_readonly("fade_below", &SliceRule::fade_below, "Below it the map of a slice fades.")
      .def_readonly("fitted_on", &SliceRule::fitted_on, "In words.")
      .def("__call__", &SliceRule::operator(), py::arg("evidence"), "How likely the slice shows blood.")
      .def("fade", &SliceRule::fade, py::arg("probability"),
           "What the map of a slice of this probability is multiplied by: p / fade_below, 1 from fade_below on.");
  m.def(
      "fit_slice_rule",
      [](const DoubleArray& evidence, const LabelArray& truth, double l2) {
        const auto values = table_of(evidence, "fit_slice_rule: evidence");
        const auto unlocked = unlocked_for(values.size());
        return fit_slice_rule(values, truth, l2);
      },
      py::arg("evidence"), py::arg("truth"), py::arg("l2") = LogisticFitOptions{}.l2,
      R"(fit_stacking of the evidence, with weights from 0 on.

Parameters
----------
evidence : (slices, 3) array
    SliceEvidence.values of each slice.
truth : (slices,) array
    0 or 1; bool and uint8 are read in place.
l2 : float
    As for fit_stacking.

Returns
-------
SliceRule
    fade_below is left at 0.

Raises
------
ichdet.Error
    As fit_stacking, and `options` where none of the evidence is higher where there is blood.

Notes
-----
What would get a negative weight beside the others is left out and the rest fitted again.

Examples
--------
>>> evidence = [[0.9, 0.5, 0.8], [0.2, 0.01, 0.1], [0.6, 0.2, 0.9], [0.4, 0.01, 0.3]]
>>> rule = ichdet.ensemble.fit_slice_rule(evidence, [1, 0, 1, 0])
>>> min(rule.weights) >= 0
True)");
}

}  // namespace

void bind_calibration_of_results(py::module_& m) {
  bind_calibrator(m);
  bind_fits(m);
  bind_calibrate(m);
}

void bind_learned_weights(py::module_& m) {
  bind_weights(m);
  bind_slice_rule(m);
}

}  // namespace ichdet::python
