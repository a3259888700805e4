#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <vector>

#include "ichdet/core/error.hpp"
#include "ichdet/ensemble/calibrator.hpp"
#include "ichdet/ensemble/slice_rule.hpp"
#include "ichdet/ensemble/weights.hpp"

namespace ichdet::ensemble {

ICHDET_INLINE SliceEvidence slice_evidence(std::span<const float> blood, double pixel_mm2,
                                           std::optional<double> classifier) {
  if (!(pixel_mm2 > 0)) {
    throw Error::mismatch(ErrorCode::options, "pixel_mm2", "a number above 0", std::to_string(pixel_mm2));
  }
  SliceEvidence evidence;
  evidence.classifier = classifier.value_or(0.5);
  const auto above = double(std::ranges::count_if(blood, [](float p) { return p > 0.5f; })) * pixel_mm2;
  evidence.area = (1 + above) / (101 + above);
  std::vector<float> likeliest(std::clamp<std::size_t>(std::size_t(std::lround(20 / pixel_mm2)), 1, blood.size()));
  std::ranges::partial_sort_copy(blood, likeliest, std::greater());
  evidence.map = std::accumulate(likeliest.begin(), likeliest.end(), 0.0) / double(likeliest.size());
  return evidence;
}

ICHDET_INLINE double SliceRule::operator()(const SliceEvidence& evidence) const {
  double logit = intercept;
  const auto values = evidence.values();
  for (std::size_t i = 0; i < values.size(); ++i) logit += weights[i] * clipped_logit(values[i]);
  return 1 / (1 + std::exp(-logit));
}

ICHDET_INLINE double SliceRule::fade(double probability) const {
  return probability < fade_below ? probability / fade_below : 1;
}

ICHDET_INLINE void check(const SliceRule& rule) {
  const auto within = [](const std::string& field, double value, double low, double high) {
    if (value >= low && value <= high) return;
    throw Error::mismatch(ErrorCode::options, "slices: " + field, std::to_string(low) + " to " + std::to_string(high),
                          std::to_string(value));
  };
  within("intercept", rule.intercept, -1e6, 1e6);
  for (std::size_t i = 0; i < rule.weights.size(); ++i) {
    within(std::string(slice_evidence_names[i]), rule.weights[i], -1e6, 1e6);
  }
  within("fade_below", rule.fade_below, 0, 1);
}

ICHDET_INLINE SliceRule fit_slice_rule(std::span<const double> evidence, std::span<const std::uint8_t> truth,
                                       double l2) {
  LogisticFitOptions options;
  options.l2 = l2;
  SliceRule rule;
  const auto width = rule.weights.size();
  if (evidence.size() != truth.size() * width) {
    throw Error::mismatch(ErrorCode::shape, "evidence of a slice", std::to_string(width) + " numbers",
                          truth.empty() ? "none" : std::to_string(double(evidence.size()) / double(truth.size())));
  }
  std::vector<std::size_t> kept(width);
  std::iota(kept.begin(), kept.end(), 0);
  while (!kept.empty()) {
    std::vector<double> columns;
    for (std::size_t row = 0; row < truth.size(); ++row) {
      for (const auto column : kept) columns.push_back(evidence[row * width + column]);
    }
    const auto fitted = fit_stacking(columns, truth, options);
    rule.intercept = fitted.intercept;
    rule.weights.fill(0);
    for (std::size_t i = 0; i < kept.size(); ++i) rule.weights[kept[i]] = fitted.weights[i];
    const auto worst = std::ranges::min_element(fitted.weights);
    if (*worst >= 0) break;
    kept.erase(kept.begin() + (worst - fitted.weights.begin()));
  }
  if (kept.empty()) throw Error(ErrorCode::options, "evidence: none of it is higher where there is blood");
  return rule;
}

}  // namespace ichdet::ensemble
