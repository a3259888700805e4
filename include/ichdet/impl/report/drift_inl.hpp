#pragma once

#include <algorithm>
#include <cmath>

#include "ichdet/core/error.hpp"
#include "ichdet/impl/report/figures_json.hpp"
#include "ichdet/report/drift.hpp"
#include "ichdet/report/raster_plot.hpp"

namespace ichdet {

namespace detail {

ICHDET_INLINE const char* drift_name(evaluate::Drift verdict) {
  return verdict == evaluate::Drift::drift ? "drift" : verdict == evaluate::Drift::watch ? "watch" : "none";
}

/// The part of the values in each of `bins` equal steps from `low` to `high`.
ICHDET_INLINE std::vector<double> histogram(const std::vector<double>& values, double low, double high, int bins) {
  std::vector<double> parts(std::size_t(bins), 0.0);
  for (const double v : values) {
    const auto bin = std::clamp(int((v - low) / (high - low) * bins), 0, bins - 1);
    parts[std::size_t(bin)] += 1 / double(values.size());
  }
  return parts;
}

ICHDET_INLINE void draw_quantity(Image& picture, std::int64_t x, std::int64_t width, std::int64_t height,
                                 const evaluate::QuantityDrift& q) {
  constexpr int bins = 20;
  constexpr draw::Color before{140, 150, 160}, after{0, 114, 178};
  double high = 1;
  if (q.name.find("probability") == q.name.npos) {
    for (const auto* values : {&q.reference, &q.found}) {
      high = std::max(high, *std::max_element(values->begin(), values->end()));
    }
  }
  const auto axis = svg::around(0, high, q.name);
  const auto reference = histogram(q.reference, 0, axis.high, bins), found = histogram(q.found, 0, axis.high, bins);
  const double top =
      std::max(*std::max_element(reference.begin(), reference.end()), *std::max_element(found.begin(), found.end()));
  char label[128];
  std::snprintf(label, sizeof label, "%s (stability index %.2f, p %.2g)", q.name.c_str(), q.stability.value,
                q.test.p_value);
  const char* title = q.verdict == evaluate::Drift::none ? "no drift" : drift_name(q.verdict);
  draw::Plot plot(picture, x, 12, width, height, {{0, axis.high, label}, false}, {svg::around(0, top, ""), false},
                  title);
  std::vector<double> at, level;
  for (int b = 0; b < bins; ++b) {
    const double left = axis.high * b / bins, right = axis.high * (b + 1) / bins;
    plot.bar(left, 0, right, reference[std::size_t(b)], before, 0.5);
    at.insert(at.end(), {left, right});
    level.insert(level.end(), {found[std::size_t(b)], found[std::size_t(b)]});
  }
  plot.line(at, level, after);
  plot.legend({{"validation set", before}, {"new studies", after}});
}

}  // namespace detail

ICHDET_INLINE evaluate::StudyScores scores_of(const std::string& study, const StudyResult& result) {
  evaluate::StudyScores scores;
  scores.study = study;
  scores.probability = result.decision.probability;
  scores.positive = result.decision.positive;
  if (!result.labels.empty()) {
    scores.volume_ml = 0;
    for (const auto& [label, name] : result.labels) {
      const auto& blood = result.blood_labels;
      const auto volume = result.volumes_ml.find(name);
      if (!blood.empty() && std::find(blood.begin(), blood.end(), label) == blood.end()) continue;
      if (volume != result.volumes_ml.end()) scores.volume_ml += volume->second;
    }
  }
  for (const auto& slice : result.slices) {
    if (slice.computed) scores.slices.push_back(slice.probability);
  }
  return scores;
}

ICHDET_INLINE nlohmann::ordered_json to_json(const std::vector<evaluate::StudyScores>& scores) {
  auto studies = nlohmann::ordered_json::array();
  for (const auto& s : scores) {
    studies.push_back({{"study", s.study},
                       {"probability", s.probability},
                       {"positive", s.positive},
                       {"volume_ml", detail::defined(s.volume_ml)},
                       {"slices", s.slices}});
  }
  return {{"schema", 1}, {"studies", studies}};
}

ICHDET_INLINE std::vector<evaluate::StudyScores> scores_from_json(const nlohmann::ordered_json& json,
                                                                  const std::string& subject) {
  try {
    std::vector<evaluate::StudyScores> scores;
    for (const auto& s : json.at("studies")) {
      const auto& volume = s.at("volume_ml");
      scores.push_back({s.at("study").get<std::string>(), s.at("probability").get<double>(),
                        s.at("positive").get<bool>(), volume.is_null() ? evaluate::undefined : volume.get<double>(),
                        s.at("slices").get<std::vector<double>>()});
    }
    return scores;
  } catch (const nlohmann::json::exception& e) {
    throw Error(ErrorCode::io, subject + ": expected the scores of a validation set: " + e.what());
  }
}

ICHDET_INLINE nlohmann::ordered_json to_json(const evaluate::DriftReport& report) {
  using detail::defined;
  auto quantities = nlohmann::ordered_json::array();
  for (const auto& q : report.quantities) {
    quantities.push_back({{"quantity", q.name},
                          {"verdict", detail::drift_name(q.verdict)},
                          {"values", q.found.size()},
                          {"reference_values", q.reference.size()},
                          {"stability_index", defined(q.stability.value)},
                          {"stability_expected", defined(q.stability.expected)},
                          {"bin_edges", q.stability.edges},
                          {"reference_counts", q.stability.reference},
                          {"counts", q.stability.found},
                          {"ks", defined(q.test.statistic)},
                          {"ks_p", defined(q.test.p_value)}});
  }
  const auto rate = [](const evaluate::Proportion& p, const evaluate::Interval& interval) {
    return nlohmann::ordered_json{
        {"value", defined(p.value())}, {"of", {p.successes, p.trials}}, {"interval", detail::to_json(interval)}};
  };
  return {{"schema", 1},
          {"verdict", detail::drift_name(report.verdict)},
          {"studies", report.studies},
          {"reference_studies", report.reference_studies},
          {"positive_rate", rate(report.positive, report.interval)},
          {"reference_positive_rate", rate(report.reference_positive, report.reference_interval)},
          {"positive_rate_p", defined(report.positive_p)},
          {"quantities", quantities},
          {"words", report.words}};
}

ICHDET_INLINE Image draw_drift(const evaluate::DriftReport& report) {
  constexpr std::int64_t width = 460, height = 320;
  const auto count = std::max<std::int64_t>(1, std::int64_t(report.quantities.size()));
  Image picture(height + 24, count * width + 24, 3, 255);
  for (std::size_t i = 0; i < report.quantities.size(); ++i) {
    detail::draw_quantity(picture, 12 + std::int64_t(i) * width, width, height, report.quantities[i]);
  }
  return picture;
}

}  // namespace ichdet
