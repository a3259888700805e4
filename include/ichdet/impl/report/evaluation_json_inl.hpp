#pragma once

#include <cmath>
#include <nlohmann/json.hpp>

#include "ichdet/report/evaluation.hpp"

namespace ichdet {

namespace detail {

using nlohmann::ordered_json;

ICHDET_INLINE ordered_json defined(double value) { return std::isfinite(value) ? ordered_json(value) : ordered_json(); }

ICHDET_INLINE ordered_json to_json(const evaluate::Interval& interval) {
  return ordered_json::array({defined(interval.low), defined(interval.high)});
}

ICHDET_INLINE ordered_json to_json(const evaluate::BootstrapInterval& bootstrap) {
  return {{"interval", to_json(bootstrap.interval)},
          {"standard_error", defined(bootstrap.standard_error)},
          {"resamples", bootstrap.resamples},
          {"degenerate", bootstrap.degenerate}};
}

ICHDET_INLINE ordered_json to_json(const std::vector<evaluate::Estimate>& estimates) {
  ordered_json json = ordered_json::object();
  for (const auto& estimate : estimates) {
    auto& one = json[estimate.name];
    one["value"] = defined(estimate.value);
    if (estimate.counts) one["of"] = {estimate.counts->successes, estimate.counts->trials};
    if (estimate.exact) one[estimate.name == "roc_auc" ? "delong" : "exact"] = to_json(*estimate.exact);
    one["bootstrap"] = to_json(estimate.bootstrap);
  }
  return json;
}

ICHDET_INLINE ordered_json to_json(const evaluate::Calibration& calibration) {
  ordered_json bins = ordered_json::array();
  for (const auto& bin : calibration.bins) {
    bins.push_back({{"low", bin.low},
                    {"high", bin.high},
                    {"cases", bin.observed.trials},
                    {"positive", bin.observed.successes},
                    {"mean_probability", defined(bin.mean_probability)}});
  }
  return {{"brier", defined(calibration.brier)},
          {"expected_error", defined(calibration.expected_error)},
          {"largest_error", defined(calibration.largest_error)},
          {"bins", bins}};
}

ICHDET_INLINE ordered_json to_json(const evaluate::ModelResult& model) {
  ordered_json thresholds = ordered_json::array();
  for (const auto& at : model.thresholds) {
    thresholds.push_back({{"threshold", at.threshold},
                          {"true_positives", at.counts.true_positives},
                          {"false_positives", at.counts.false_positives},
                          {"true_negatives", at.counts.true_negatives},
                          {"false_negatives", at.counts.false_negatives},
                          {"rates", to_json(at.rates)}});
  }
  return {{"model", model.model},         {"class", model.class_name},     {"positives", model.positives},
          {"negatives", model.negatives}, {"areas", to_json(model.areas)}, {"calibration", to_json(model.calibration)},
          {"thresholds", thresholds},     {"difficult", model.difficult}};
}

ICHDET_INLINE ordered_json to_json(const evaluate::PairResult& pair, const std::vector<double>& thresholds) {
  ordered_json tests = ordered_json::array();
  for (std::size_t t = 0; t < thresholds.size(); ++t) {
    const auto& test = pair.mcnemar[t];
    tests.push_back({{"threshold", thresholds[t]},
                     {"only_a_right", test.only_a},
                     {"only_b_right", test.only_b},
                     {"exact_p", test.exact_p},
                     {"chi2", defined(test.chi2)},
                     {"chi2_p", defined(test.chi2_p)}});
  }
  return {{"class", pair.class_name},
          {"a", pair.a},
          {"b", pair.b},
          {"delong",
           {{"difference", defined(pair.delong.difference)},
            {"standard_error", defined(pair.delong.standard_error)},
            {"interval", to_json(pair.delong.interval)},
            {"z", defined(pair.delong.z)},
            {"p", defined(pair.delong.p_value)}}},
          {"bootstrap", to_json(pair.difference)},
          {"mcnemar", tests}};
}

ICHDET_INLINE ordered_json to_json(const evaluate::VolumeResult& volume) {
  const auto& agreement = volume.agreement;
  return {{"model", volume.model},
          {"cases", agreement.cases},
          {"left_out", volume.left_out},
          {"bias_ml", defined(agreement.bias)},
          {"bias_interval_ml", to_json(agreement.bias_interval)},
          {"standard_deviation_ml", defined(agreement.standard_deviation)},
          {"limits_of_agreement_ml", to_json(agreement.limits)},
          {"low_limit_interval_ml", to_json(agreement.low_limit_interval)},
          {"high_limit_interval_ml", to_json(agreement.high_limit_interval)},
          {"mean_absolute_error_ml", defined(agreement.mean_absolute_error)}};
}

}  // namespace detail

ICHDET_INLINE nlohmann::ordered_json to_json(const evaluate::Evaluation& evaluation) {
  using nlohmann::ordered_json;
  const auto& bootstrap = evaluation.options.bootstrap;
  ordered_json json;
  json["schema"] = 1;
  json["unit"] = evaluation.unit;
  json["rows"] = evaluation.rows;
  json["patients"] = evaluation.patients;
  json["only_in_predictions"] = evaluation.only_in_predictions;
  json["only_in_truth"] = evaluation.only_in_truth;
  json["confidence"] = bootstrap.confidence;
  json["bootstrap"] = {{"resamples", bootstrap.resamples}, {"seed", bootstrap.seed}};
  json["models"] = ordered_json::array();
  for (const auto& model : evaluation.models) json["models"].push_back(detail::to_json(model));
  json["pairs"] = ordered_json::array();
  for (const auto& pair : evaluation.pairs) {
    json["pairs"].push_back(detail::to_json(pair, evaluation.options.thresholds));
  }
  json["volumes"] = ordered_json::array();
  for (const auto& volume : evaluation.volumes) json["volumes"].push_back(detail::to_json(volume));
  json["notes"] = evaluation.notes;
  return json;
}

}  // namespace ichdet
