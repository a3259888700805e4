#pragma once

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <random>

#include "ichdet/evaluate/bootstrap.hpp"
#include "ichdet/evaluate/drift.hpp"
#include "ichdet/impl/evaluate/shared.hpp"

namespace ichdet::evaluate {

namespace detail {

ICHDET_INLINE const char* word(Drift verdict) {
  return verdict == Drift::drift ? "has drifted" : verdict == Drift::watch ? "may be drifting" : "is as before";
}

ICHDET_INLINE Drift verdict_of(double excess, double p) {
  if (excess > 0.25 && p < 0.01) return Drift::drift;
  return excess > 0.1 && p < 0.05 ? Drift::watch : Drift::none;
}

/// How often a random exchange of whole studies between the two sets gives slices at least as far apart.
ICHDET_INLINE double exchange_p(const std::vector<StudyScores>& reference, const std::vector<StudyScores>& found,
                                std::uint64_t seed) {
  struct Value {
    double value;
    std::int32_t study;
  };
  std::vector<Value> values;
  std::vector<std::int64_t> sizes;
  for (const auto* set : {&reference, &found}) {
    for (const auto& study : *set) {
      for (const double v : study.slices) values.push_back({v, std::int32_t(sizes.size())});
      sizes.push_back(std::int64_t(study.slices.size()));
    }
  }
  std::sort(values.begin(), values.end(), [](const Value& a, const Value& b) { return a.value < b.value; });
  const auto distance = [&](const std::vector<std::uint8_t>& is_found) {
    double n = 0, m = 0, i = 0, j = 0, largest = 0;
    for (std::size_t s = 0; s < sizes.size(); ++s) (is_found[s] ? m : n) += double(sizes[s]);
    if (n == 0 || m == 0) return 0.0;
    for (std::size_t k = 0; k < values.size(); ++k) {
      ++(is_found[std::size_t(values[k].study)] ? j : i);
      if (k + 1 < values.size() && values[k + 1].value == values[k].value) continue;
      largest = std::max(largest, std::abs(i / n - j / m));
    }
    return largest;
  };
  std::vector<std::uint8_t> is_found(reference.size(), 0);
  is_found.resize(sizes.size(), 1);
  const double observed = distance(is_found);
  constexpr int exchanges = 2000;
  int as_far = 1;  // what was observed is one of them
  std::mt19937_64 generator(seed);
  for (int e = 0; e < exchanges; ++e) {
    for (std::size_t i = is_found.size() - 1; i > 0; --i) std::swap(is_found[i], is_found[generator() % (i + 1)]);
    as_far += distance(is_found) >= observed - 1e-12;
  }
  return double(as_far) / (exchanges + 1);
}

ICHDET_INLINE QuantityDrift compared(std::string name, std::vector<double> reference, std::vector<double> found) {
  QuantityDrift q;
  q.name = std::move(name);
  q.stability = population_stability(reference, found);
  q.test = kolmogorov_smirnov(reference, found);
  q.reference = std::move(reference);
  q.found = std::move(found);
  return q;
}

ICHDET_INLINE std::string sentence(const QuantityDrift& q) {
  const auto median = [](std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return sorted_quantile(values, 0.5);
  };
  char text[256];
  std::snprintf(text, sizeof text,
                "%s %s: median %.3g (validation set %.3g), stability index %.3f (chance %.3f), KS %.3f, p = %.2g",
                q.name.c_str(), word(q.verdict), median(q.found), median(q.reference), q.stability.value,
                q.stability.expected, q.test.statistic, q.test.p_value);
  return text;
}

}  // namespace detail

ICHDET_INLINE DriftReport drift(const std::vector<StudyScores>& reference, const std::vector<StudyScores>& found,
                                std::uint64_t seed) {
  detail::check_at_least("studies of the validation set", 1, std::int64_t(reference.size()));
  detail::check_at_least("new studies", 1, std::int64_t(found.size()));
  const auto gather = [](const std::vector<StudyScores>& set, auto value) {
    std::vector<double> values;
    for (const auto& study : set) {
      for (const double v : value(study)) {
        if (!std::isnan(v)) values.push_back(v);
      }
    }
    return values;
  };
  DriftReport report;
  report.reference_studies = std::int64_t(reference.size());
  report.studies = std::int64_t(found.size());
  const auto add = [&](const char* name, auto value) {
    auto before = gather(reference, value), after = gather(found, value);
    if (before.empty() || after.empty()) return;
    report.quantities.push_back(detail::compared(name, std::move(before), std::move(after)));
  };
  add("study probability", [](const StudyScores& s) { return std::vector{s.probability}; });
  add("volume_ml", [](const StudyScores& s) { return std::vector{s.volume_ml}; });
  add("slice probability", [](const StudyScores& s) { return s.slices; });
  for (auto& q : report.quantities) {
    if (q.name == "slice probability") q.test.p_value = detail::exchange_p(reference, found, seed);
    q.verdict = detail::verdict_of(q.stability.value - q.stability.expected, q.test.p_value);
    report.verdict = std::max(report.verdict, q.verdict);
    report.words.push_back(detail::sentence(q));
  }
  const auto positive = [](const std::vector<StudyScores>& set) {
    return Proportion{std::count_if(set.begin(), set.end(), [](const StudyScores& s) { return s.positive; }),
                      std::int64_t(set.size())};
  };
  report.reference_positive = positive(reference);
  report.positive = positive(found);
  report.reference_interval = wilson(report.reference_positive);
  report.interval = wilson(report.positive);
  report.positive_p = fisher_exact(report.reference_positive, report.positive);
  const auto verdict = report.positive_p < 0.01 ? Drift::drift : report.positive_p < 0.05 ? Drift::watch : Drift::none;
  report.verdict = std::max(report.verdict, verdict);
  char text[256];
  std::snprintf(
      text, sizeof text,
      "the rate of positive studies %s: %.1f %% (95 %% interval %.1f to %.1f), validation set %.1f %%, p = %.2g",
      detail::word(verdict), 100 * report.positive.value(), 100 * report.interval.low, 100 * report.interval.high,
      100 * report.reference_positive.value(), report.positive_p);
  report.words.push_back(text);
  return report;
}

}  // namespace ichdet::evaluate
