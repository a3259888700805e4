#pragma once

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "ichdet/evaluate/delong.hpp"
#include "ichdet/evaluate/special.hpp"
#include "ichdet/impl/evaluate/shared.hpp"

namespace ichdet::evaluate {

namespace detail {

/// Ranks from 1 on, in the order of the rows; equal values share the mean of theirs.
ICHDET_INLINE Eigen::VectorXd midranks(const Eigen::VectorXd& values) {
  std::vector<Eigen::Index> order(std::size_t(values.size()));
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](auto a, auto b) { return values[a] < values[b]; });
  Eigen::VectorXd ranks(values.size());
  for (std::size_t first = 0; first < order.size();) {
    std::size_t end = first;
    while (end < order.size() && values[order[end]] == values[order[first]]) ++end;
    for (std::size_t i = first; i < end; ++i) ranks[order[i]] = double(first + end + 1) / 2;
    first = end;
  }
  return ranks;
}

}  // namespace detail

ICHDET_INLINE AucCovariance delong(Labels truth, const std::vector<Scores>& scores) {
  for (const auto& score : scores) detail::check_scores(truth.size(), score);
  AucCovariance result;
  result.positives = std::count_if(truth.begin(), truth.end(), [](auto t) { return t != 0; });
  result.negatives = std::int64_t(truth.size()) - result.positives;
  const auto k = Eigen::Index(scores.size()), m = Eigen::Index(result.positives), n = Eigen::Index(result.negatives);
  result.auc = Eigen::VectorXd::Constant(k, undefined);
  result.covariance = Eigen::MatrixXd::Constant(k, k, undefined);
  if (m == 0 || n == 0) return result;

  // Structural components: for each positive case the part of negatives below it, for each negative of positives above.
  Eigen::MatrixXd of_positives(k, m), of_negatives(k, n);
  for (Eigen::Index r = 0; r < k; ++r) {
    Eigen::VectorXd all(m + n);  // positive cases first
    Eigen::Index positive = 0, negative = m;
    for (std::size_t i = 0; i < truth.size(); ++i) {
      all[truth[i] != 0 ? positive++ : negative++] = scores[std::size_t(r)][i];
    }
    const Eigen::VectorXd ranks = detail::midranks(all);
    of_positives.row(r) = (ranks.head(m) - detail::midranks(all.head(m))).transpose() / double(n);
    of_negatives.row(r) = 1 - (ranks.tail(n) - detail::midranks(all.tail(n))).transpose().array() / double(m);
  }
  result.auc = of_positives.rowwise().mean();
  if (m < 2 || n < 2) return result;
  of_positives.colwise() -= result.auc;
  of_negatives.colwise() -= result.auc;
  result.covariance = of_positives * of_positives.transpose() / (double(m) * double(m - 1)) +
                      of_negatives * of_negatives.transpose() / (double(n) * double(n - 1));
  return result;
}

ICHDET_INLINE Interval delong_interval(double auc, double variance, double confidence) {
  const double half = -normal_quantile(detail::tail_of(confidence)) * std::sqrt(variance);
  if (std::isnan(half) || std::isnan(auc)) return {};
  return {std::max(0.0, auc - half), std::min(1.0, auc + half)};
}

ICHDET_INLINE DelongTest delong_test(Labels truth, Scores a, Scores b, double confidence) {
  const auto both = delong(truth, {a, b});
  DelongTest test;
  test.auc_a = both.auc[0];
  test.auc_b = both.auc[1];
  test.difference = test.auc_a - test.auc_b;
  const double variance = both.covariance(0, 0) + both.covariance(1, 1) - 2 * both.covariance(0, 1);
  test.standard_error = std::sqrt(std::max(variance, 0.0));
  if (std::isnan(variance)) test.standard_error = undefined;
  // Rounding leaves a variance near 1e-18 where two scores rank the cases alike.
  if (test.standard_error < 1e-9 && std::abs(test.difference) < 1e-12) test.standard_error = test.difference = 0;
  test.z = test.difference == 0 && test.standard_error == 0 ? 0 : test.difference / test.standard_error;
  test.p_value = std::erfc(std::abs(test.z) / std::numbers::sqrt2);
  const double half = -normal_quantile(detail::tail_of(confidence)) * test.standard_error;
  test.interval = {test.difference - half, test.difference + half};
  return test;
}

}  // namespace ichdet::evaluate
