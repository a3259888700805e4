#pragma once

#include <array>
#include <cmath>
#include <cstdio>

#include "ichdet/evaluate/model_choice.hpp"
#include "ichdet/impl/evaluate/outcome_table.hpp"

namespace ichdet::evaluate {

namespace detail {

/// `outcomes` in the order of `like`, once each pair was found to be about the same truth.
ICHDET_INLINE std::vector<StudyOutcome> in_order_of(const std::vector<StudyOutcome>& like,
                                                    const std::vector<StudyOutcome>& outcomes) {
  std::map<std::string, const StudyOutcome*> by_name;
  for (const auto& outcome : outcomes) by_name[outcome.study] = &outcome;
  std::vector<StudyOutcome> ordered;
  const auto refuse = [](const std::string& study, const std::string& why) {
    throw Error(ErrorCode::options, "study " + study + ": " + why);
  };
  for (const auto& first : like) {
    const auto found = by_name.find(first.study);
    if (found == by_name.end()) refuse(first.study, "only one of the two models has an answer");
    const auto& second = *found->second;
    bool same = first.patient == second.patient && first.slices.size() == second.slices.size() &&
                first.overlap.has_value() == second.overlap.has_value() &&
                (!first.overlap || first.overlap->truth == second.overlap->truth);
    for (std::size_t s = 0; same && s < first.slices.size(); ++s) {
      same = first.slices[s].blood == second.slices[s].blood &&
             std::isnan(first.slices[s].probability) == std::isnan(second.slices[s].probability);
    }
    if (!same) refuse(first.study, "the two models' answers are not about the same slices and truth");
    ordered.push_back(second);
    by_name.erase(found);
  }
  if (!by_name.empty()) refuse(by_name.begin()->first, "only one of the two models has an answer");
  return ordered;
}

ICHDET_INLINE std::array<double, 4> four_figures(const OutcomeTable& table, const Ranking& ranking, double threshold,
                                                 std::span<const std::uint32_t> times) {
  const auto counts = drawn_confusion(table.slices, threshold, times);
  const auto auc = times.empty() ? areas(ranking) : areas(ranking, drawn_rows(table.slices, times));
  return {mean_dice(table, times), auc.roc_auc, counts.sensitivity().value(), counts.specificity().value()};
}

ICHDET_INLINE McNemar decisions_on(std::uint8_t blood, const SliceRows& before, const SliceRows& after,
                                   double threshold) {
  std::int64_t only_after = 0, only_before = 0;
  for (std::size_t i = 0; i < before.blood.size(); ++i) {
    if (before.blood[i] != blood) continue;
    const bool right_before = (before.probability[i] >= threshold) == (blood != 0);
    const bool right_after = (after.probability[i] >= threshold) == (blood != 0);
    only_after += right_after && !right_before;
    only_before += right_before && !right_after;
  }
  return mcnemar(only_after, only_before);
}

ICHDET_INLINE void decide(ModelChoice& choice, double tolerance) {
  double sum = 0;
  int told = 0;
  const auto text = [](const FigurePair& f) {
    char words[160];
    std::snprintf(words, sizeof words, "%s went from %.3f to %.3f (difference %+.3f, interval %+.3f to %+.3f)",
                  f.name.c_str(), f.before, f.after, f.after - f.before, f.difference.interval.low,
                  f.difference.interval.high);
    return std::string(words);
  };
  for (const auto& f : choice.figures) {
    if (std::isnan(f.after - f.before)) continue;
    sum += f.after - f.before;
    ++told;
    if (f.after - f.before < -tolerance || f.difference.interval.high < 0) {
      choice.reason = "keep the old version: " + text(f);
      return;
    }
  }
  char words[96];
  std::snprintf(words, sizeof words, "the mean of %d figures changed by %+.4f", told, told > 0 ? sum / told : 0.0);
  choice.keep_new = told > 0 && sum > 0;
  choice.reason = choice.keep_new ? "keep the new version: none of its figures is worse, and " + std::string(words)
                                  : "keep the old version: the new one is not better; " + std::string(words);
}

}  // namespace detail

ICHDET_INLINE ModelChoice choose_model(const std::vector<StudyOutcome>& before, const std::vector<StudyOutcome>& after,
                                       const ModelChoiceOptions& options) {
  const auto old_table = detail::table_of(before);
  const auto new_table = detail::table_of(detail::in_order_of(before, after));
  const auto& rows = old_table.slices;
  const auto old_ranking = rank(rows.blood, rows.probability);
  const auto new_ranking = rank(rows.blood, new_table.slices.probability);
  const auto of_both = [&](std::span<const std::uint32_t> times) {
    return std::pair(detail::four_figures(old_table, old_ranking, options.threshold, times),
                     detail::four_figures(new_table, new_ranking, options.threshold, times));
  };
  const auto differences = bootstrap(
      detail::every_patient(old_table), 4,
      [&](std::span<const std::uint32_t> times, std::span<double> values) {
        const auto [old_figures, new_figures] = of_both(times);
        for (std::size_t i = 0; i < 4; ++i) values[i] = new_figures[i] - old_figures[i];
      },
      options.bootstrap);
  const auto [old_figures, new_figures] = of_both({});
  constexpr std::array<const char*, 4> names{"dice", "slice_auc", "sensitivity", "specificity"};
  ModelChoice choice;
  for (std::size_t i = 0; i < 4; ++i) {
    choice.figures.push_back({names[i], old_figures[i], new_figures[i], differences[i]});
  }
  choice.slice_auc =
      delong_test(rows.blood, new_table.slices.probability, rows.probability, options.bootstrap.confidence);
  choice.with_blood = detail::decisions_on(1, rows, new_table.slices, options.threshold);
  choice.without_blood = detail::decisions_on(0, rows, new_table.slices, options.threshold);
  detail::decide(choice, options.tolerance);
  return choice;
}

}  // namespace ichdet::evaluate
