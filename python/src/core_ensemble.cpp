#include <cmath>

#include "core_evaluate.hpp"
#include "ichdet/ensemble/calibrator.hpp"
#include "ichdet/ensemble/combine.hpp"
#include "ichdet/ensemble/staple.hpp"
#include "ichdet/ensemble/weights.hpp"

namespace ichdet::python {

using namespace ensemble;

namespace {

using FloatArray = py::array_t<float, py::array::c_style | py::array::forcecast>;
using ByteArray = py::array_t<std::uint8_t, py::array::c_style | py::array::forcecast>;

std::vector<double> weights_from(const py::object& weight) {
  if (PyNumber_Check(weight.ptr()) != 0 && !py::isinstance<py::array>(weight)) return {weight.cast<double>()};
  const auto values = DoubleArray::ensure(weight);
  if (!values || values.ndim() > 1) throw py::type_error("ensemble: weights: expected a number, or one for each z");
  return {values.data(), values.data() + values.size()};
}

FloatArray combine_arrays(const std::vector<FloatArray>& members, const std::string& rule, const py::object& weights,
                          const std::vector<std::vector<bool>>& answers, std::vector<std::string> classes,
                          double intercept, int threads) {
  if (members.empty()) throw Error(ErrorCode::options, "ensemble: no member was given");
  const auto first = borrow<float, 4>(members.front());
  for (auto c = std::int64_t(classes.size()); c < first.extent(0); ++c) classes.push_back(std::to_string(c));
  std::vector<std::vector<double>> by_member(members.size(), {1.0});
  if (!weights.is_none()) {
    const py::sequence given = weights;
    if (given.size() != members.size()) {
      throw Error::mismatch(ErrorCode::shape, "ensemble: weights", std::to_string(members.size()),
                            std::to_string(given.size()));
    }
    for (std::size_t m = 0; m < members.size(); ++m) by_member[m] = weights_from(given[m]);
  }
  if (!answers.empty() && answers.size() != members.size()) {
    throw Error::mismatch(ErrorCode::shape, "ensemble: answers", std::to_string(members.size()),
                          std::to_string(answers.size()));
  }
  std::vector<Array4<float>> arrays;
  for (const auto& member : members) arrays.push_back(borrow<float, 4>(member));
  Array4<float> combined;
  {
    const py::gil_scoped_release unlocked;
    Combiner combiner(std::move(classes), {first.extent(1), first.extent(2), first.extent(3)}, parse_combine_rule(rule),
                      intercept, threads);
    for (std::size_t m = 0; m < arrays.size(); ++m) {
      combiner.add(std::to_string(m), arrays[m], by_member[m], answers.empty() ? std::vector<bool>() : answers[m]);
    }
    combined = combiner.finish();
  }
  return lend(combined);
}

ByteArray bytes_from(const py::array& labels) {
  if (labels.dtype().kind() == 'b' || labels.dtype().is(py::dtype::of<std::uint8_t>())) return ByteArray(labels);
  const DoubleArray values(labels);
  for (const double value : span_of(values)) {
    if (value >= 0 && value <= 255 && value == std::floor(value)) continue;
    throw Error::mismatch(ErrorCode::options, "ensemble: labels", "integers from 0 to 255", std::to_string(value));
  }
  return ByteArray(labels);
}

std::vector<LabelMap> label_maps(const std::vector<py::array>& given) {
  std::vector<ByteArray> members;
  for (const auto& member : given) members.push_back(bytes_from(member));
  std::vector<LabelMap> maps;
  std::size_t most = 1;
  for (const auto& member : members) {
    for (py::ssize_t i = 0; i < member.size(); ++i) most = std::max<std::size_t>(most, member.data()[i]);
  }
  std::vector<std::string> names;
  for (std::size_t label = 0; label <= most; ++label) names.push_back(std::to_string(label));
  for (const auto& member : members) {
    const auto array = borrow<std::uint8_t, 3>(member);
    const auto grid = Geometry::aligned({array.extent(2), array.extent(1), array.extent(0)}, {1, 1, 1});
    maps.emplace_back(array, names, grid);
  }
  return maps;
}

void bind_calibrators(py::module_& m) {
  py::class_<Calibrator>(m, "Calibrator",
                         "Turns what a model says into how often it is true; call it on probabilities.")
      .def_property_readonly("method", [](const Calibrator& c) { return to_string(c.method); })
      .def_readonly("slope", &Calibrator::slope, "Of platt; of temperature 1 / T.")
      .def_readonly("intercept", &Calibrator::intercept)
      .def_property_readonly(
          "points", [](const Calibrator& c) { return py::make_tuple(to_numpy(c.from), to_numpy(c.to)); },
          "Of isotonic: (probabilities, calibrated).")
      .def(
          "__call__",
          [](const Calibrator& calibrator, const DoubleArray& probabilities) {
            std::vector<double> values;
            for (const double p : span_of(probabilities)) values.push_back(calibrator(p));
            return to_numpy(values);
          },
          py::arg("probabilities"));
  m.def(
      "fit_calibrator",
      [](const std::string& method, const DoubleArray& probabilities, const DoubleArray& truth, bool soft_targets) {
        const auto labels = labels_from(truth);
        const auto which = parse_calibration_method(method);
        if (which == CalibrationMethod::platt) return fit_platt(span_of(probabilities), labels, soft_targets);
        return fit_calibrator(which, span_of(probabilities), labels);
      },
      py::arg("method"), py::arg("probabilities"), py::arg("truth"), py::kw_only(), py::arg("soft_targets") = true,
      R"(A Calibrator by 'temperature', 'platt' or 'isotonic', from cases that the model did not learn from.

soft_targets : of platt: Platt's targets, (n + 1) / (n + 2) and 1 / (n + 2); False: 1 and 0)");
}

}  // namespace

void bind_ensemble(py::module_& core) {
  auto m = core.def_submodule("_ensemble", "Combination of models and calibration of probabilities.");
  bind_calibrators(m);
  m.def("combine", &combine_arrays, py::arg("members"), py::arg("rule") = "mean", py::arg("weights") = py::none(),
        py::kw_only(), py::arg("answers") = std::vector<std::vector<bool>>(),
        py::arg("classes") = std::vector<std::string>(), py::arg("intercept") = 0.0, py::arg("threads") = 0,
        R"(Members' probabilities on one grid, (class, z, y, x) with class 0 background, to the ensemble's.

rule : 'mean', 'logits', 'majority', 'union' or 'stacking'
weights : for each member a number, or one number for each z
answers : for each member which classes it tells about; empty: all
classes : names for messages
intercept : of 'stacking')");
  m.def(
      "vote",
      [](const std::vector<py::array>& members, const std::string& rule, const std::vector<double>& weights) {
        return lend(vote(label_maps(members), parse_combine_rule(rule), weights).labels);
      },
      py::arg("members"), py::arg("rule") = "majority", py::arg("weights") = std::vector<double>(),
      "Label maps (z, y, x) on one grid to theirs by 'majority' or 'union'.");
  m.def(
      "staple",
      [](const std::vector<py::array>& members, double tolerance, int max_iterations) {
        const auto maps = label_maps(members);
        std::vector<std::span<const std::uint8_t>> labels;
        for (const auto& map : maps) labels.emplace_back(map.labels.data(), std::size_t(map.labels.size()));
        const auto count = maps.empty() ? 2 : maps.front().names.size();
        Staple estimate(maps.size(), count);
        const auto posterior = [&] {
          const py::gil_scoped_release unlocked;
          estimate.count(labels);
          estimate.fit({tolerance, max_iterations});
          const auto& shape = maps.front().labels.shape();
          auto values = Array4<float>::uninitialized({std::int64_t(count), shape[0], shape[1], shape[2]});
          estimate.posterior(labels, {values.data(), std::size_t(values.size())});
          return values;
        }();
        py::array_t<double> rates({maps.size(), count, count});
        auto into = rates.mutable_unchecked<3>();
        for (std::size_t k = 0; k < maps.size(); ++k) {
          for (std::size_t said = 0; said < count; ++said) {
            for (std::size_t truth = 0; truth < count; ++truth) {
              into(py::ssize_t(k), py::ssize_t(said), py::ssize_t(truth)) = estimate.rate(k, said, truth);
            }
          }
        }
        return py::make_tuple(lend(posterior), rates, estimate.iterations());
      },
      py::arg("members"), py::kw_only(), py::arg("tolerance") = 1e-7, py::arg("max_iterations") = 10'000,
      R"(STAPLE of label maps (z, y, x): (posterior (label, z, y, x), rates (member, said, truth), iterations).)");
  m.def(
      "fit_nonnegative",
      [](const DoubleArray& probabilities, const DoubleArray& truth) {
        if (probabilities.ndim() != 2 || probabilities.shape(0) != truth.size()) {
          throw py::value_error("fit_nonnegative: expected probabilities (cases, members) and as many truths as cases");
        }
        return to_numpy(fit_nonnegative(span_of(probabilities), span_of(truth)));
      },
      py::arg("probabilities"), py::arg("truth"), "Weights >= 0 of the least squares: Lawson and Hanson's.");
  m.def(
      "fit_stacking",
      [](const DoubleArray& probabilities, const DoubleArray& truth, double l2) {
        if (probabilities.ndim() != 2 || probabilities.shape(0) != truth.size()) {
          throw py::value_error("fit_stacking: expected probabilities (cases, members) and as many truths as cases");
        }
        LogisticFitOptions options;
        options.l2 = l2;
        return fit_stacking(span_of(probabilities), labels_from(truth), options);
      },
      py::arg("probabilities"), py::arg("truth"), py::arg("l2") = 1.0,
      "LogisticModel of the members' logits: what combine(rule='stacking') takes.");
}

}  // namespace ichdet::python
