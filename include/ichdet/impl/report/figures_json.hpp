#pragma once

#include <cmath>
#include <nlohmann/json.hpp>
#include <vector>

#include "ichdet/evaluate/evaluation.hpp"

/// How figures, intervals and tests stand in JSON.
namespace ichdet::detail {

using nlohmann::ordered_json;

inline ordered_json defined(double value) { return std::isfinite(value) ? ordered_json(value) : ordered_json(); }

inline ordered_json to_json(const evaluate::Interval& interval) {
  return ordered_json::array({defined(interval.low), defined(interval.high)});
}

inline ordered_json to_json(const evaluate::BootstrapInterval& bootstrap) {
  return {{"interval", to_json(bootstrap.interval)},
          {"standard_error", defined(bootstrap.standard_error)},
          {"resamples", bootstrap.resamples},
          {"degenerate", bootstrap.degenerate}};
}

inline ordered_json to_json(const std::vector<evaluate::Estimate>& estimates) {
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

inline ordered_json to_json(const evaluate::Calibration& calibration) {
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

inline ordered_json to_json(const evaluate::DelongTest& test) {
  return {{"difference", defined(test.difference)},
          {"standard_error", defined(test.standard_error)},
          {"interval", to_json(test.interval)},
          {"z", defined(test.z)},
          {"p", defined(test.p_value)}};
}

inline ordered_json to_json(const evaluate::McNemar& test) {
  return {{"only_a_right", test.only_a},
          {"only_b_right", test.only_b},
          {"exact_p", test.exact_p},
          {"chi2", defined(test.chi2)},
          {"chi2_p", defined(test.chi2_p)}};
}

inline ordered_json differences_ml(const evaluate::BlandAltman& agreement) {
  return {{"bias_ml", defined(agreement.bias)},
          {"bias_interval_ml", to_json(agreement.bias_interval)},
          {"standard_deviation_ml", defined(agreement.standard_deviation)},
          {"limits_of_agreement_ml", to_json(agreement.limits)},
          {"low_limit_interval_ml", to_json(agreement.low_limit_interval)},
          {"high_limit_interval_ml", to_json(agreement.high_limit_interval)},
          {"mean_absolute_error_ml", defined(agreement.mean_absolute_error)}};
}

}  // namespace ichdet::detail
