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
  Ranking ranking;
  ranking.rows.resize(truth.size());
  std::iota(ranking.rows.begin(), ranking.rows.end(), 0);
  std::sort(ranking.rows.begin(), ranking.rows.end(), [&](std::int32_t a, std::int32_t b) {
    const double left = scores[std::size_t(a)], right = scores[std::size_t(b)];
    return left != right ? left > right : a < b;
  });
  ranking.positive.reserve(truth.size());
  for (std::size_t at = 0; at < truth.size(); ++at) {
    const auto row = std::size_t(ranking.rows[at]);
    ranking.positive.push_back(truth[row] != 0);
    if (ranking.thresholds.empty() || scores[row] != ranking.thresholds.back()) {
      if (at > 0) ranking.ends.push_back(std::int32_t(at));
      ranking.thresholds.push_back(scores[row]);
    }
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
  double steps = 0, trapezoids = 0, precision = 1;
  detail::walk(ranking, multiplicity, [&](std::int64_t tp_now, std::int64_t fp_now) {
    if (tp_now + fp_now == tp + fp) return;  // nothing of this run was drawn
    const double precision_now = double(tp_now) / double(tp_now + fp_now), step = double(tp_now - tp);
    twice_roc += (fp_now - fp) * (tp_now + tp);
    steps += step * precision_now;
    trapezoids += step * (precision_now + precision);
    tp = tp_now, fp = fp_now, precision = precision_now;
  });
  const auto positives = double(tp), negatives = double(fp);
  return {tp > 0 && fp > 0 ? double(twice_roc) / 2 / (positives * negatives) : undefined,
          tp > 0 ? steps / positives : undefined, tp > 0 ? trapezoids / 2 / positives : undefined};
}

}  // namespace ichdet::evaluate
