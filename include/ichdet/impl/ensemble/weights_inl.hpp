#pragma once

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <string>

#include "ichdet/core/error.hpp"
#include "ichdet/ensemble/calibrator.hpp"
#include "ichdet/ensemble/weights.hpp"
#include "ichdet/impl/ensemble/shared.hpp"

namespace ichdet::ensemble {

namespace detail {

/// min |a x - b|², x >= 0 (Lawson and Hanson, Solving Least Squares Problems, 23.3).
ICHDET_INLINE Eigen::VectorXd nonnegative_least_squares(const Eigen::MatrixXd& a, const Eigen::VectorXd& b) {
  const auto n = a.cols();
  Eigen::VectorXd x = Eigen::VectorXd::Zero(n);
  std::vector<Eigen::Index> passive;
  const double none = 1e-13 * a.cwiseAbs().sum() * std::max(1.0, b.cwiseAbs().maxCoeff());
  const auto solve = [&] {
    const Eigen::MatrixXd columns = a(Eigen::all, passive);
    return Eigen::VectorXd(columns.colPivHouseholderQr().solve(b));
  };
  for (Eigen::Index round = 0; round < 10 * n; ++round) {
    Eigen::VectorXd slope = a.transpose() * (b - a * x);
    for (const auto i : passive) slope[i] = 0;
    Eigen::Index best = 0;
    if (slope.size() == 0 || slope.maxCoeff(&best) <= none) return x;
    passive.push_back(best);
    for (;;) {
      const Eigen::VectorXd free = solve();
      double step = 1;
      for (std::size_t k = 0; k < passive.size(); ++k) {
        const double from = x[passive[k]], to = free[Eigen::Index(k)];
        if (to <= 0) step = std::min(step, from / (from - to));
      }
      for (std::size_t k = 0; k < passive.size(); ++k) {
        x[passive[k]] += step * (free[Eigen::Index(k)] - x[passive[k]]);
        if (free[Eigen::Index(k)] <= 0 && x[passive[k]] <= 1e-15) x[passive[k]] = 0;
      }
      if (step == 1) break;
      std::erase_if(passive, [&](Eigen::Index i) { return x[i] <= 0; });
    }
  }
  throw Error(ErrorCode::options, "non-negative least squares: no minimum was found");
}

}  // namespace detail

ICHDET_INLINE std::vector<double> fit_nonnegative(std::span<const double> probabilities,
                                                  std::span<const double> truth) {
  if (truth.empty() || probabilities.empty() || probabilities.size() % truth.size() != 0) {
    throw Error::mismatch(ErrorCode::shape, "non-negative weights: probabilities", "as many rows as truths",
                          std::to_string(probabilities.size()) + " values for " + std::to_string(truth.size()));
  }
  const auto finite = [](double value) { return std::isfinite(value); };
  if (!std::ranges::all_of(probabilities, finite) || !std::ranges::all_of(truth, finite)) {
    throw Error(ErrorCode::options, "non-negative weights: expected finite numbers alone");
  }
  const auto rows = Eigen::Index(truth.size()), members = Eigen::Index(probabilities.size()) / rows;
  using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  Eigen::MatrixXd a = Eigen::Map<const Matrix>(probabilities.data(), rows, members);
  Eigen::VectorXd b = Eigen::Map<const Eigen::VectorXd>(truth.data(), rows);
  if (rows > members) {  // a = q r: the same minimum with as many rows as members
    const Eigen::HouseholderQR<Eigen::MatrixXd> qr(a);
    b = (qr.householderQ().transpose() * b).head(members).eval();
    a = Eigen::MatrixXd(qr.matrixQR().topRows(members).triangularView<Eigen::Upper>());
  }
  const auto weights = detail::nonnegative_least_squares(a, b);
  return {weights.begin(), weights.end()};
}

ICHDET_INLINE LogisticModel fit_stacking(std::span<const double> probabilities, std::span<const std::uint8_t> truth,
                                         const LogisticFitOptions& options) {
  for (std::size_t i = 0; i < probabilities.size(); ++i) {
    detail::check_probability(probabilities[i], "stacking: probability " + std::to_string(i));
  }
  std::vector<double> logits(probabilities.size());
  std::ranges::transform(probabilities, logits.begin(), &clipped_logit);
  return fit_logistic(logits, truth, options);
}

}  // namespace ichdet::ensemble
