#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <functional>
#include <numeric>
#include <utility>

#include "ichdet/aggregate/case_rules.hpp"
#include "ichdet/core/error.hpp"

namespace ichdet {

namespace detail {

inline constexpr std::array<std::pair<CaseRuleKind, const char*>, 5> case_rule_names{
    {{CaseRuleKind::percent, "percent"},
     {CaseRuleKind::maximum, "maximum"},
     {CaseRuleKind::noisy_or, "noisy-or"},
     {CaseRuleKind::top_mean, "top-mean"},
     {CaseRuleKind::logistic, "logistic"}}};

ICHDET_INLINE void check_probabilities(std::span<const double> probabilities) {
  const auto bad = std::ranges::find_if(probabilities, [](double p) { return !(p >= 0 && p <= 1); });
  if (bad != probabilities.end()) {
    throw Error::mismatch(ErrorCode::options, "slice probability " + std::to_string(bad - probabilities.begin()),
                          "a number from 0 to 1", std::to_string(*bad));
  }
}

/// The highest of them, descending, into `sorted`, which has their number.
ICHDET_INLINE void find_highest(std::span<const double> probabilities, std::span<double> sorted) {
  constexpr std::size_t few = 16;  // up to which putting each in its place is several times as fast as a heap
  if (sorted.size() > few) {
    std::ranges::partial_sort_copy(probabilities, sorted, std::greater<>());
    return;
  }
  std::ranges::fill(sorted, -1.0);
  for (const double p : probabilities) {
    auto place = sorted.size() - 1;
    if (p <= sorted[place]) continue;
    for (; place > 0 && sorted[place - 1] < p; --place) sorted[place] = sorted[place - 1];
    sorted[place] = p;
  }
}

/// `probabilities` and `rule` were checked; `sorted` is scratch memory.
ICHDET_INLINE double score_of(std::span<const double> probabilities, const CaseRule& rule,
                              std::vector<double>& sorted) {
  if (probabilities.empty()) return 0;
  const auto highest = [&](std::int64_t count) {
    sorted.resize(std::size_t(std::min(count, std::int64_t(probabilities.size()))));
    find_highest(probabilities, sorted);
  };
  switch (rule.kind) {
    case CaseRuleKind::percent:
      highest(positives_needed(std::int64_t(probabilities.size()), rule.percent));
      return sorted.back();
    case CaseRuleKind::maximum: return *std::ranges::max_element(probabilities);
    case CaseRuleKind::noisy_or:  // 1 - (1 - p) (1 - q) is p + q (1 - p), which small probabilities do not vanish in
      return std::min(1.0, std::accumulate(probabilities.begin(), probabilities.end(), 0.0,
                                           [](double any, double p) { return any + p * (1 - any); }));
    case CaseRuleKind::top_mean:
      highest(rule.top);
      return std::min(1.0, std::reduce(sorted.begin(), sorted.end()) / double(sorted.size()));
    case CaseRuleKind::logistic: return rule.logistic(case_features(probabilities));
  }
  return 0;
}

ICHDET_INLINE std::string words_for(const CaseRule& rule, std::int64_t positive, std::int64_t slices) {
  std::array<char, 160> text{};
  const auto write = [&](const char* pattern, auto... values) {
    std::snprintf(text.data(), text.size(), pattern, values...);
    return std::string(text.data());
  };
  switch (rule.kind) {
    case CaseRuleKind::percent:
      return write("%lld of %lld slices above %g; %lld or more (%g %%) make the patient positive",
                   static_cast<long long>(positive), static_cast<long long>(slices), rule.slice_threshold,
                   static_cast<long long>(positives_needed(slices, rule.percent)), rule.percent);
    case CaseRuleKind::maximum: return write("highest slice probability > %g", rule.case_threshold);
    case CaseRuleKind::noisy_or: return write("noisy-or of the slice probabilities > %g", rule.case_threshold);
    case CaseRuleKind::top_mean:
      return write("mean of the %lld highest slice probabilities > %g", static_cast<long long>(rule.top),
                   rule.case_threshold);
    case CaseRuleKind::logistic: return write("logistic rule of the slice probabilities > %g", rule.case_threshold);
  }
  return {};
}

}  // namespace detail

ICHDET_INLINE std::string to_string(CaseRuleKind kind) {
  return std::ranges::find(detail::case_rule_names, kind, &std::pair<CaseRuleKind, const char*>::first)->second;
}

ICHDET_INLINE CaseRuleKind parse_case_rule(const std::string& text) {
  for (const auto& [kind, name] : detail::case_rule_names) {
    if (text == name) return kind;
  }
  throw Error::mismatch(ErrorCode::options, "rule", "percent, maximum, noisy-or, top-mean or logistic", text);
}

ICHDET_INLINE void check(const CaseRule& rule) {
  const auto probability = [](const char* field, double value) {
    if (!(value > 0 && value < 1)) {
      throw Error::mismatch(ErrorCode::options, field, "a number between 0 and 1", std::to_string(value));
    }
  };
  probability("slice_threshold", rule.slice_threshold);
  if (rule.kind == CaseRuleKind::percent) {
    positives_needed(0, rule.percent);
    return;
  }
  probability("case_threshold", rule.case_threshold);
  if (rule.kind == CaseRuleKind::top_mean && rule.top < 1) {
    throw Error::mismatch(ErrorCode::options, "top", "at least 1", std::to_string(rule.top));
  }
  if (rule.kind == CaseRuleKind::logistic && rule.logistic.weights.size() != case_feature_names.size()) {
    throw Error::mismatch(ErrorCode::options, "logistic", std::to_string(case_feature_names.size()) + " weights",
                          std::to_string(rule.logistic.weights.size()));
  }
}

ICHDET_INLINE std::int64_t positives_needed(std::int64_t slices, double percent) {
  if (slices < 0) throw Error::mismatch(ErrorCode::options, "slices", "0 or more", std::to_string(slices));
  if (!(percent > 0 && percent <= 100)) {
    throw Error::mismatch(ErrorCode::options, "percent", "above 0, at most 100", std::to_string(percent));
  }
  constexpr std::int64_t whole = 100'000'000;  // 100 % in millionths of a percent
  const auto part = std::int64_t(std::llround(percent * (double(whole) / 100)));
  const std::int64_t floor = slices * part / whole;
  const std::int64_t twice_rest = 2 * (slices * part % whole);
  const bool up = twice_rest > whole || (twice_rest == whole && floor % 2 != 0);
  return std::max<std::int64_t>(1, floor + (up ? 1 : 0));
}

ICHDET_INLINE double case_score(std::span<const double> probabilities, const CaseRule& rule) {
  check(rule);
  detail::check_probabilities(probabilities);
  std::vector<double> scratch;
  return detail::score_of(probabilities, rule, scratch);
}

ICHDET_INLINE std::vector<double> case_scores(std::span<const double> probabilities,
                                              std::span<const std::int64_t> offsets, const CaseRule& rule) {
  check(rule);
  detail::check_probabilities(probabilities);
  if (offsets.empty() || offsets.front() != 0 || offsets.back() != std::int64_t(probabilities.size()) ||
      !std::ranges::is_sorted(offsets)) {
    throw Error(ErrorCode::shape, "case offsets: expected to begin at 0, never to fall, and to end at " +
                                      std::to_string(probabilities.size()));
  }
  std::vector<double> scores, scratch;
  scores.reserve(offsets.size() - 1);
  for (std::size_t i = 0; i + 1 < offsets.size(); ++i) {
    const auto first = std::size_t(offsets[i]), count = std::size_t(offsets[i + 1]) - first;
    scores.push_back(detail::score_of(probabilities.subspan(first, count), rule, scratch));
  }
  return scores;
}

ICHDET_INLINE PatientDecision decide(const std::vector<SliceScore>& slices, const CaseRule& rule) {
  std::vector<double> probabilities;
  for (const auto& slice : slices) probabilities.push_back(slice.probability);
  PatientDecision decision;
  decision.probability = case_score(probabilities, rule);
  decision.threshold = rule.threshold();
  decision.slice_threshold = rule.slice_threshold;
  decision.positive = !slices.empty() && decision.probability > decision.threshold;
  const auto positive = std::ranges::count_if(probabilities, [&](double p) { return p > rule.slice_threshold; });
  decision.rule = detail::words_for(rule, positive, std::int64_t(slices.size()));
  return decision;
}

}  // namespace ichdet
