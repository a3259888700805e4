#pragma once

#include <algorithm>
#include <cmath>
#include <numbers>

#include "ichdet/evaluate/curves.hpp"
#include "ichdet/evaluate/delong.hpp"
#include "ichdet/evaluate/special.hpp"
#include "ichdet/impl/evaluate/shared.hpp"

namespace ichdet::evaluate {

namespace detail {

/// For each case, by row, the part of the other class that it is ranked rightly against; ties count one half.
ICHDET_INLINE Eigen::VectorXd parts_won(const Ranking& ranking, double positives, double negatives) {
  Eigen::VectorXd won(Eigen::Index(ranking.rows.size()));
  double positives_above = 0, negatives_above = 0;
  std::size_t first = 0;
  for (const auto end : ranking.ends) {
    double tied_positives = 0;
    for (auto at = first; at < std::size_t(end); ++at) tied_positives += ranking.positive[at];
    const double tied_negatives = double(std::size_t(end) - first) - tied_positives;
    for (; first < std::size_t(end); ++first) {
      won[ranking.rows[first]] = ranking.positive[first] != 0 ? 1 - (negatives_above + tied_negatives / 2) / negatives
                                                              : (positives_above + tied_positives / 2) / positives;
    }
    positives_above += tied_positives;
    negatives_above += tied_negatives;
  }
  return won;
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

  // The structural components of the positive and of the negative cases.
  Eigen::MatrixXd of_positives(k, m), of_negatives(k, n);
  for (Eigen::Index r = 0; r < k; ++r) {
    const auto won = detail::parts_won(rank(truth, scores[std::size_t(r)]), double(m), double(n));
    Eigen::Index positive = 0, negative = 0;
    for (std::size_t i = 0; i < truth.size(); ++i) {
      (truth[i] != 0 ? of_positives(r, positive++) : of_negatives(r, negative++)) = won[Eigen::Index(i)];
    }
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
