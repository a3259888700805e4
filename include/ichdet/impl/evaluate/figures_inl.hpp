#pragma once

#include <algorithm>
#include <cmath>
#include <functional>

#include "ichdet/evaluate/delong.hpp"
#include "ichdet/evaluate/figures.hpp"
#include "ichdet/impl/evaluate/outcome_table.hpp"
#include "ichdet/impl/evaluate/shared.hpp"

namespace ichdet::evaluate {

namespace detail {

/// A figure that can be counted again for any draw of patients (empty: each once).
struct Resampled {
  Estimate* estimate;
  std::function<double(std::span<const std::uint32_t> times)> value;
};

ICHDET_INLINE Estimate named(std::string name) {
  Estimate estimate;
  estimate.name = std::move(name);
  return estimate;
}

ICHDET_INLINE Estimate rate(std::string name, const Proportion& counts, double confidence) {
  auto estimate = named(std::move(name));
  estimate.counts = counts;
  estimate.exact = clopper_pearson(counts, confidence);
  return estimate;
}

ICHDET_INLINE double auc_of(const Ranking& ranking, const SliceRows& rows, std::span<const std::uint32_t> times) {
  return times.empty() ? areas(ranking).roc_auc : areas(ranking, drawn_rows(rows, times)).roc_auc;
}

ICHDET_INLINE void list_worst(const std::vector<StudyOutcome>& outcomes, Figures& figures) {
  for (const auto& outcome : outcomes) {
    if (outcome.overlap && outcome.overlap->truth > 0) {
      figures.lowest_dice.push_back({outcome.study, -1, outcome.overlap->dice()});
    }
    for (std::size_t s = 0; s < outcome.slices.size(); ++s) {
      const auto& slice = outcome.slices[s];
      if (slice.blood == false && slice.largest_lesion_ml > 0) {
        figures.false_lesions.push_back({outcome.study, std::int64_t(s), slice.largest_lesion_ml});
      }
    }
  }
  const auto keep = [&](std::vector<WorstCase>& list, auto worse) {
    std::stable_sort(list.begin(), list.end(), worse);
    list.resize(std::min(list.size(), figures.options.worst));
  };
  keep(figures.lowest_dice, [](const WorstCase& a, const WorstCase& b) { return a.value < b.value; });
  keep(figures.false_lesions, [](const WorstCase& a, const WorstCase& b) { return a.value > b.value; });
}

/// Blood-free slices without and with false lesions, of patients drawn `times`. Needs masks.
ICHDET_INLINE Proportion clean_slices(const std::vector<StudyOutcome>& outcomes, const OutcomeTable& table,
                                      double lesion_ml, std::span<const std::uint32_t> times) {
  Proportion clean;
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    if (std::isnan(outcomes[i].predicted_ml)) continue;
    const std::int64_t n = times.empty() ? 1 : times[std::size_t(table.patient_of_study[i])];
    for (const auto& slice : outcomes[i].slices) {
      if (slice.blood != false) continue;
      clean.trials += n;
      clean.successes += slice.largest_lesion_ml <= lesion_ml ? n : 0;
    }
  }
  return clean;
}

ICHDET_INLINE void measure_volumes(const std::vector<StudyOutcome>& outcomes, Figures& figures, double confidence) {
  std::vector<double> predicted, truth;
  for (const auto& outcome : outcomes) {
    if (std::isnan(outcome.predicted_ml) || std::isnan(outcome.truth_ml)) continue;
    predicted.push_back(outcome.predicted_ml);
    truth.push_back(outcome.truth_ml);
  }
  if (!predicted.empty()) figures.volumes = bland_altman(predicted, truth, confidence);
}

ICHDET_INLINE double median_dice(const OutcomeTable& table) {
  std::vector<double> dice;
  for (const auto& o : table.overlap_of_patient) {
    if (o.truth > 0) dice.push_back(o.dice());
  }
  std::sort(dice.begin(), dice.end());
  return sorted_quantile(dice, 0.5);
}

ICHDET_INLINE double specific_sensitivity(const Ranking& ranking, const SliceRows& rows, double specificity,
                                          std::span<const std::uint32_t> times) {
  return times.empty() ? sensitivity_at(ranking, specificity)
                       : sensitivity_at(ranking, specificity, drawn_rows(rows, times));
}

ICHDET_INLINE void count_type(TypeFigures& figure, const std::string& type, const RankedRows& of,
                              const FiguresOptions& options, std::vector<Resampled>& counted) {
  using Times = std::span<const std::uint32_t>;
  const auto found = [&of, threshold = options.threshold](Times t) {
    return drawn_confusion(of.rows, threshold, t).sensitivity();
  };
  figure.type = type;
  figure.slices = std::count(of.rows.blood.begin(), of.rows.blood.end(), 1);
  figure.auc = named("auc");
  figure.sensitivity = rate("sensitivity", found({}), options.bootstrap.confidence);
  figure.sensitivity_at_specificity = named("sensitivity_at_specificity");
  counted.push_back({&figure.auc, [&of](Times t) { return auc_of(of.ranking, of.rows, t); }});
  counted.push_back({&figure.sensitivity, [found](Times t) { return found(t).value(); }});
  counted.push_back({&figure.sensitivity_at_specificity, [&of, specificity = options.specificity](Times t) {
                       return specific_sensitivity(of.ranking, of.rows, specificity, t);
                     }});
}

/// Values and bootstrap intervals of all, over the same resamples.
ICHDET_INLINE void estimate(const std::vector<Resampled>& counted, const OutcomeTable& table,
                            const BootstrapOptions& options) {
  const auto intervals = bootstrap(
      every_patient(table), counted.size(),
      [&](std::span<const std::uint32_t> times, std::span<double> values) {
        for (std::size_t i = 0; i < counted.size(); ++i) values[i] = counted[i].value(times);
      },
      options);
  for (std::size_t i = 0; i < counted.size(); ++i) {
    counted[i].estimate->value = counted[i].value({});
    counted[i].estimate->bootstrap = intervals[i];
  }
}

}  // namespace detail

ICHDET_INLINE double sensitivity_at(const Ranking& ranking, double specificity,
                                    std::span<const std::uint32_t> multiplicity) {
  const auto times = [&](std::size_t rank) -> std::int64_t {
    return multiplicity.empty() ? 1 : multiplicity[std::size_t(ranking.rows[rank])];
  };
  std::int64_t positives = 0, negatives = 0;
  for (std::size_t i = 0; i < ranking.positive.size(); ++i) {
    (ranking.positive[i] ? positives : negatives) += times(i);
  }
  if (positives == 0 || negatives == 0) return undefined;
  std::int64_t found = 0, false_alarms = 0, best = 0;
  std::size_t i = 0;
  for (const auto end : ranking.ends) {
    for (; i < std::size_t(end); ++i) (ranking.positive[i] ? found : false_alarms) += times(i);
    if (double(negatives - false_alarms) < specificity * double(negatives) - 1e-9) break;
    best = found;
  }
  return double(best) / double(positives);
}

ICHDET_INLINE Figures figures(const std::vector<StudyOutcome>& outcomes, const FiguresOptions& options) {
  const auto table = detail::table_of(outcomes);
  const double confidence = options.bootstrap.confidence;
  Figures result;
  result.options = options;
  result.studies = std::int64_t(outcomes.size());
  result.patients = table.patients;
  for (const auto& outcome : outcomes) {
    result.slices += std::int64_t(outcome.slices.size());
    for (const auto& slice : outcome.slices) {
      result.slices_with_blood += slice.blood == true;
      result.slices_without_blood += slice.blood == false;
      if (slice.blood == false && !std::isnan(outcome.predicted_ml)) {
        result.largest_false_lesion_ml = std::fmax(result.largest_false_lesion_ml, slice.largest_lesion_ml);
      }
    }
  }
  if (result.slices == 0) throw Error::mismatch(ErrorCode::shape, "outcomes", "at least one slice", "none");
  for (const auto& o : table.overlap_of_patient) result.patients_with_masked_blood += o.truth > 0;
  result.dice_median = detail::median_dice(table);
  detail::measure_volumes(outcomes, result, confidence);
  detail::list_worst(outcomes, result);

  using Times = std::span<const std::uint32_t>;
  std::vector<detail::Resampled> counted;
  const auto& rows = table.slices;
  const auto ranking = rank(rows.blood, rows.probability);
  result.calibration = calibration(rows.blood, rows.probability, options.bins);
  result.dice = detail::named("dice");
  counted.push_back({&result.dice, [&](Times t) { return detail::mean_dice(table, t); }});
  result.slice_auc = detail::named("slice_auc");
  const auto variance = delong(rows.blood, {rows.probability});
  result.slice_auc.exact = delong_interval(variance.auc[0], variance.covariance(0, 0), confidence);
  counted.push_back({&result.slice_auc, [&](Times t) { return detail::auc_of(ranking, rows, t); }});
  result.slice_average_precision = detail::named("slice_average_precision");
  counted.push_back({&result.slice_average_precision, [&](Times t) {
                       return t.empty() ? areas(ranking).average_precision
                                        : areas(ranking, detail::drawn_rows(rows, t)).average_precision;
                     }});
  const auto whole = detail::drawn_confusion(rows, options.threshold, {});
  result.sensitivity = detail::rate("sensitivity", whole.sensitivity(), confidence);
  result.specificity = detail::rate("specificity", whole.specificity(), confidence);
  result.ppv = detail::rate("ppv", whole.positive_predictive_value(), confidence);
  const auto confusion_of = [&](Times t) { return detail::drawn_confusion(rows, options.threshold, t); };
  counted.push_back({&result.sensitivity, [&](Times t) { return confusion_of(t).sensitivity().value(); }});
  counted.push_back({&result.specificity, [&](Times t) { return confusion_of(t).specificity().value(); }});
  counted.push_back({&result.ppv, [&](Times t) { return confusion_of(t).positive_predictive_value().value(); }});
  result.sensitivity_at_specificity = detail::named("sensitivity_at_specificity");
  counted.push_back({&result.sensitivity_at_specificity,
                     [&](Times t) { return detail::specific_sensitivity(ranking, rows, options.specificity, t); }});
  const auto roc = roc_curve(ranking);
  for (std::size_t i = 0; i < roc.thresholds.size(); ++i) {
    if (1 - roc.false_positive_rate[i] >= options.specificity - 1e-12) result.specific_threshold = roc.thresholds[i];
  }
  const auto studies = detail::study_rows(outcomes, table);
  const auto study_ranking = rank(studies.blood, studies.probability);
  result.study_auc = detail::named("study_auc");
  counted.push_back({&result.study_auc, [&](Times t) { return detail::auc_of(study_ranking, studies, t); }});
  const auto clean = [&](Times t) { return detail::clean_slices(outcomes, table, options.lesion_ml, t); };
  result.clean = detail::rate("clean", clean({}), confidence);
  counted.push_back({&result.clean, [&](Times t) { return clean(t).value(); }});

  const auto of_type = detail::rows_by_type(outcomes, table);
  result.types.reserve(of_type.size());  // `counted` points to its elements
  for (const auto& entry : of_type) {
    detail::count_type(result.types.emplace_back(), entry.first, entry.second, options, counted);
  }
  detail::estimate(counted, table, options.bootstrap);
  return result;
}

}  // namespace ichdet::evaluate
