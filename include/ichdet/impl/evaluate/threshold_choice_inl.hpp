#pragma once

#include <cmath>
#include <limits>
#include <numeric>
#include <string>

#include "ichdet/core/error.hpp"
#include "ichdet/evaluate/threshold_choice.hpp"

namespace ichdet::evaluate {

namespace detail {

/// The choice of the highest gain(counts), of equal ones the lowest threshold.
template <class Gain>
ThresholdChoice best_threshold(const Ranking& ranking, Gain&& gain) {
  const auto positives = std::accumulate(ranking.positive.begin(), ranking.positive.end(), std::int64_t{0});
  const auto negatives = std::int64_t(ranking.positive.size()) - positives;
  if (positives == 0 || negatives == 0) {
    throw Error(ErrorCode::options, "threshold: expected positive and negative cases, found " +
                                        std::to_string(positives) + " and " + std::to_string(negatives));
  }
  const auto& scores = ranking.thresholds;
  if (!(scores.front() <= 1 && scores.back() >= 0)) {
    throw Error::mismatch(ErrorCode::options, "threshold: probabilities", "0 to 1",
                          std::to_string(scores.back()) + " to " + std::to_string(scores.front()));
  }
  ThresholdChoice best;
  double highest = -std::numeric_limits<double>::infinity();
  Confusion counts{0, 0, negatives, positives};
  for (std::size_t run = 0; run <= scores.size(); ++run) {
    if (const double here = gain(counts); here >= highest) {
      highest = here;
      const double above = run == 0 ? 1 : scores[run - 1], below = run == scores.size() ? 0 : scores[run];
      best = {(above + below) / 2, counts};
    }
    if (run == scores.size()) break;
    for (auto i = run == 0 ? 0 : ranking.ends[run - 1]; i < ranking.ends[run]; ++i) {
      const bool positive = ranking.positive[std::size_t(i)] != 0;
      ++(positive ? counts.true_positives : counts.false_positives);
      --(positive ? counts.false_negatives : counts.true_negatives);
    }
  }
  return best;
}

}  // namespace detail

ICHDET_INLINE ThresholdChoice threshold_for_sensitivity(const Ranking& ranking, double sensitivity) {
  if (!(sensitivity > 0 && sensitivity <= 1)) {
    throw Error::mismatch(ErrorCode::options, "threshold: sensitivity", "above 0, at most 1",
                          std::to_string(sensitivity));
  }
  return detail::best_threshold(ranking, [&](const Confusion& counts) {
    const bool enough = counts.sensitivity().value() >= sensitivity;
    return enough ? 1 + counts.specificity().value() : counts.sensitivity().value() - 1;
  });
}

ICHDET_INLINE ThresholdChoice threshold_by_youden(const Ranking& ranking) {
  return detail::best_threshold(ranking, [](const Confusion& counts) {  // whole numbers, so that equals are equal
    const auto positives = counts.true_positives + counts.false_negatives;
    const auto negatives = counts.true_negatives + counts.false_positives;
    return double(counts.true_positives) * double(negatives) + double(counts.true_negatives) * double(positives);
  });
}

ICHDET_INLINE ThresholdChoice threshold_by_cost(const Ranking& ranking, double miss, double false_alarm) {
  if (!(miss > 0 && std::isfinite(miss) && false_alarm > 0 && std::isfinite(false_alarm))) {
    throw Error::mismatch(ErrorCode::options, "threshold: costs", "two numbers above 0",
                          std::to_string(miss) + " and " + std::to_string(false_alarm));
  }
  return detail::best_threshold(ranking, [&](const Confusion& counts) {
    return -(miss * double(counts.false_negatives) + false_alarm * double(counts.false_positives));
  });
}

}  // namespace ichdet::evaluate
