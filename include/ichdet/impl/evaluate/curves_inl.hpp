#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>

#include "ichdet/core/error.hpp"
#include "ichdet/evaluate/curves.hpp"
#include "ichdet/impl/evaluate/shared.hpp"

namespace ichdet::evaluate {

namespace detail {

/// Calls `point(true positives, false positives)` behind each run of equal scores.
template <class Point>
void walk(const Ranking& ranking, std::span<const std::uint32_t> multiplicity, Point&& point) {
  std::int64_t positives = 0, all = 0;
  std::size_t at = 0;
  for (const auto end : ranking.ends) {
    if (multiplicity.empty()) {
      for (; at < std::size_t(end); ++at) positives += ranking.positive[at];
      all = end;
    } else {
      for (; at < std::size_t(end); ++at) {
        const std::int64_t times = multiplicity[std::size_t(ranking.rows[at])];
        all += times;
        positives += ranking.positive[at] * times;
      }
    }
    point(positives, all - positives);
  }
}

ICHDET_INLINE double ratio(std::int64_t a, std::int64_t b) { return b > 0 ? double(a) / double(b) : undefined; }

}  // namespace detail

ICHDET_INLINE Ranking rank(Labels truth, Scores scores) {
  detail::check_scores(truth.size(), scores);
  if (truth.size() > std::size_t(std::numeric_limits<std::int32_t>::max())) {
    throw Error::mismatch(ErrorCode::shape, "truth", "fewer than 2^31 rows", std::to_string(truth.size()));
  }
  struct Case {
    double score;
    std::int32_t row;
  };
  std::vector<Case> cases;
  cases.reserve(truth.size());
  for (std::size_t i = 0; i < truth.size(); ++i) cases.push_back({scores[i], std::int32_t(i)});
  std::sort(cases.begin(), cases.end(),
            [](const Case& a, const Case& b) { return a.score != b.score ? a.score > b.score : a.row < b.row; });
  Ranking ranking;
  ranking.rows.reserve(truth.size());
  ranking.positive.reserve(truth.size());
  for (const auto& [score, row] : cases) {
    if (ranking.thresholds.empty() || score != ranking.thresholds.back()) {
      if (!ranking.rows.empty()) ranking.ends.push_back(std::int32_t(ranking.rows.size()));
      ranking.thresholds.push_back(score);
    }
    ranking.rows.push_back(row);
    ranking.positive.push_back(truth[std::size_t(row)] != 0);
  }
  if (!truth.empty()) ranking.ends.push_back(std::int32_t(truth.size()));
  return ranking;
}

ICHDET_INLINE RocCurve roc_curve(const Ranking& ranking) {
  const auto positives = std::accumulate(ranking.positive.begin(), ranking.positive.end(), std::int64_t{0});
  const auto negatives = std::int64_t(ranking.rows.size()) - positives;
  RocCurve curve;
  const auto add = [&](double threshold, std::int64_t tp, std::int64_t fp) {
    curve.false_positive_rate.push_back(detail::ratio(fp, negatives));
    curve.true_positive_rate.push_back(detail::ratio(tp, positives));
    curve.thresholds.push_back(threshold);
  };
  add(std::numeric_limits<double>::infinity(), 0, 0);
  std::size_t run = 0;
  detail::walk(ranking, {}, [&](std::int64_t tp, std::int64_t fp) { add(ranking.thresholds[run++], tp, fp); });
  return curve;
}

ICHDET_INLINE PrCurve pr_curve(const Ranking& ranking) {
  const auto positives = std::accumulate(ranking.positive.begin(), ranking.positive.end(), std::int64_t{0});
  PrCurve curve{{positives > 0 ? 0.0 : undefined}, {1}, {std::numeric_limits<double>::infinity()}};
  std::size_t run = 0;
  detail::walk(ranking, {}, [&](std::int64_t tp, std::int64_t fp) {
    curve.recall.push_back(detail::ratio(tp, positives));
    curve.precision.push_back(detail::ratio(tp, tp + fp));
    curve.thresholds.push_back(ranking.thresholds[run++]);
  });
  return curve;
}

ICHDET_INLINE Areas areas(const Ranking& ranking, std::span<const std::uint32_t> multiplicity) {
  if (!multiplicity.empty()) detail::check_rows("multiplicity", ranking.rows.size(), multiplicity.size());
  std::int64_t tp = 0, fp = 0, twice_roc = 0;
  double steps = 0, trapezoids = 0;
  const auto precision = [](std::int64_t true_ones, std::int64_t false_ones) {
    return true_ones + false_ones > 0 ? double(true_ones) / double(true_ones + false_ones) : 1.0;
  };
  detail::walk(ranking, multiplicity, [&](std::int64_t tp_now, std::int64_t fp_now) {
    twice_roc += (fp_now - fp) * (tp_now + tp);
    if (tp_now != tp) {
      const double step = double(tp_now - tp), precision_now = precision(tp_now, fp_now);
      steps += step * precision_now;
      trapezoids += step * (precision_now + precision(tp, fp));
    }
    tp = tp_now, fp = fp_now;
  });
  const auto positives = double(tp), negatives = double(fp);
  return {tp > 0 && fp > 0 ? double(twice_roc) / 2 / (positives * negatives) : undefined,
          tp > 0 ? steps / positives : undefined, tp > 0 ? trapezoids / 2 / positives : undefined};
}

}  // namespace ichdet::evaluate
