#pragma once

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>

#include "ichdet/core/error.hpp"
#include "ichdet/evaluate/agreement.hpp"
#include "ichdet/evaluate/special.hpp"
#include "ichdet/impl/evaluate/shared.hpp"

namespace ichdet::evaluate {

ICHDET_INLINE McNemar mcnemar(std::int64_t only_a, std::int64_t only_b) {
  if (only_a < 0 || only_b < 0) {
    throw Error::mismatch(ErrorCode::options, "McNemar", "counts from 0 on",
                          std::to_string(only_a) + " and " + std::to_string(only_b));
  }
  McNemar test;
  test.only_a = only_a;
  test.only_b = only_b;
  const auto n = double(only_a + only_b), fewer = double(std::min(only_a, only_b)),
             apart = double(only_a + only_b) - 2 * fewer;
  if (n > 0) {
    // P(X <= k) of n fair coins is I_1/2(n - k, k + 1).
    test.exact_p = apart == 0 ? 1 : std::min(1.0, 2 * incomplete_beta(n - fewer, fewer + 1, 0.5));
  }
  test.chi2 = n == 0 ? undefined : apart == 0 ? 0 : (apart - 1) * (apart - 1) / n;
  test.chi2_p = std::erfc(std::sqrt(test.chi2 / 2));
  return test;
}

ICHDET_INLINE McNemar mcnemar(Labels truth, Labels a, Labels b) {
  detail::check_rows("decisions of a", truth.size(), a.size());
  detail::check_rows("decisions of b", truth.size(), b.size());
  std::int64_t only_a = 0, only_b = 0;
  for (std::size_t i = 0; i < truth.size(); ++i) {
    const bool right_a = (a[i] != 0) == (truth[i] != 0), right_b = (b[i] != 0) == (truth[i] != 0);
    only_a += right_a && !right_b;
    only_b += right_b && !right_a;
  }
  return mcnemar(only_a, only_b);
}

ICHDET_INLINE Kappa cohen_kappa(const Eigen::MatrixXd& table, KappaWeights weights, double confidence) {
  const auto k = table.rows();
  if (k != table.cols() || k < 2) {
    throw Error::mismatch(ErrorCode::shape, "Cohen's kappa, table", "2 x 2 or a larger square",
                          std::to_string(k) + " x " + std::to_string(table.cols()));
  }
  if (!(table.array() >= 0).all() || !table.allFinite()) {
    throw Error(ErrorCode::options, "Cohen's kappa, table: expected finite counts from 0 on");
  }
  const double tail = detail::tail_of(confidence), n = table.sum();
  Kappa kappa;
  if (n == 0) return kappa;

  Eigen::MatrixXd agreement(k, k);  // 1 on the diagonal, 0 where disagreement is whole
  for (Eigen::Index i = 0; i < k; ++i) {
    for (Eigen::Index j = 0; j < k; ++j) {
      const double apart = double(std::abs(i - j)) / double(k - 1);
      agreement(i, j) = weights == KappaWeights::none     ? double(i == j)
                        : weights == KappaWeights::linear ? 1 - apart
                                                          : 1 - apart * apart;
    }
  }
  const Eigen::MatrixXd p = table / n;
  const Eigen::VectorXd of_a = p.rowwise().sum(), of_b = p.colwise().sum().transpose();
  const double observed = p.cwiseProduct(agreement).sum();
  const double by_chance = of_a.dot(agreement * of_b);
  if (by_chance >= 1 - 1e-15) return kappa;
  kappa.value = (observed - by_chance) / (1 - by_chance);

  const Eigen::VectorXd mean_a = agreement * of_b, mean_b = agreement.transpose() * of_a;
  double squares = 0;
  for (Eigen::Index i = 0; i < k; ++i) {
    for (Eigen::Index j = 0; j < k; ++j) {
      const double term = agreement(i, j) - (mean_a[i] + mean_b[j]) * (1 - kappa.value);
      squares += p(i, j) * term * term;
    }
  }
  const double centre = kappa.value - by_chance * (1 - kappa.value);
  kappa.standard_error = std::sqrt(std::max(0.0, squares - centre * centre) / n) / (1 - by_chance);
  const double half = -normal_quantile(tail) * kappa.standard_error;
  kappa.interval = {kappa.value - half, kappa.value + half};
  return kappa;
}

ICHDET_INLINE Eigen::MatrixXd rating_table(std::span<const std::int32_t> a, std::span<const std::int32_t> b,
                                           int categories) {
  detail::check_rows("second rating", a.size(), b.size());
  detail::check_at_least("categories", 1, categories);
  Eigen::MatrixXd table = Eigen::MatrixXd::Zero(categories, categories);
  for (std::size_t i = 0; i < a.size(); ++i) {
    for (const auto value : {a[i], b[i]}) {
      if (value >= 0 && value < categories) continue;
      throw Error::mismatch(ErrorCode::options, "ratings, row " + std::to_string(i),
                            "0 to " + std::to_string(categories - 1), std::to_string(value));
    }
    table(a[i], b[i]) += 1;
  }
  return table;
}

ICHDET_INLINE double fleiss_kappa(const Eigen::MatrixXd& counts) {
  const double raters = counts.rows() > 0 ? counts.row(0).sum() : 0;
  if (raters < 2 || !(counts.rowwise().sum().array() == raters).all() || !(counts.array() >= 0).all()) {
    throw Error(ErrorCode::shape,
                "Fleiss' kappa, counts: expected the same number of ratings, two or more, for every case");
  }
  const double observed = ((counts.array().square().rowwise().sum() - raters) / (raters * (raters - 1))).mean();
  const double by_chance = (counts.colwise().mean() / raters).squaredNorm();
  return by_chance >= 1 - 1e-15 ? undefined : (observed - by_chance) / (1 - by_chance);
}

}  // namespace ichdet::evaluate
