#pragma once

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <string>

#include "ichdet/aggregate/logistic.hpp"
#include "ichdet/core/error.hpp"

namespace ichdet {

namespace detail {

/// log(1 + exp(x)) and 1 / (1 + exp(-x)), without overflow.
ICHDET_INLINE double softplus(double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); }
ICHDET_INLINE double logistic(double x) {
  const double e = std::exp(-std::abs(x));
  return x >= 0 ? 1 / (1 + e) : e / (1 + e);
}

ICHDET_INLINE void check_fit(std::span<const double> features, std::span<const std::uint8_t> truth,
                             const LogisticFitOptions& options) {
  if (!(options.l2 > 0 && std::isfinite(options.l2))) {
    throw Error::mismatch(ErrorCode::options, "l2", "a number above 0", std::to_string(options.l2));
  }
  if (truth.empty() || features.size() % truth.size() != 0) {
    throw Error::mismatch(ErrorCode::shape, "logistic fit: features", "as many rows as truths",
                          std::to_string(features.size()) + " values for " + std::to_string(truth.size()) + " rows");
  }
  const auto positives = std::ranges::count(truth, 1);
  if (positives + std::ranges::count(truth, 0) != std::ptrdiff_t(truth.size())) {
    throw Error(ErrorCode::options, "logistic fit: truth: expected 0 and 1 alone");
  }
  if (positives == 0 || positives == std::ptrdiff_t(truth.size())) {
    throw Error(ErrorCode::options, "logistic fit: truth: expected both 0 and 1, found " + std::to_string(positives) +
                                        " positives of " + std::to_string(truth.size()));
  }
  const auto bad = std::ranges::find_if(features, [](double value) { return !std::isfinite(value); });
  if (bad != features.end()) {
    throw Error::mismatch(ErrorCode::options, "logistic fit: feature " + std::to_string(bad - features.begin()),
                          "a finite number", std::to_string(*bad));
  }
}

}  // namespace detail

ICHDET_INLINE double LogisticModel::operator()(std::span<const double> features) const {
  if (features.size() != weights.size()) {
    throw Error::mismatch(ErrorCode::shape, "logistic model: features", std::to_string(weights.size()),
                          std::to_string(features.size()));
  }
  return detail::logistic(std::inner_product(features.begin(), features.end(), weights.begin(), intercept));
}

ICHDET_INLINE LogisticModel fit_logistic(std::span<const double> features, std::span<const std::uint8_t> truth,
                                         const LogisticFitOptions& options) {
  detail::check_fit(features, truth, options);
  const auto rows = Eigen::Index(truth.size()), columns = Eigen::Index(features.size()) / rows;
  using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  Matrix x(rows, columns + 1);
  x.col(0).setOnes();
  x.rightCols(columns) = Eigen::Map<const Matrix>(features.data(), rows, columns);
  const Eigen::VectorXd y =
      Eigen::Map<const Eigen::Array<std::uint8_t, Eigen::Dynamic, 1>>(truth.data(), rows).cast<double>().matrix();
  Eigen::VectorXd penalty = Eigen::VectorXd::Constant(columns + 1, options.l2);
  penalty[0] = 0;

  const auto loss = [&](const Eigen::VectorXd& w) {
    const Eigen::VectorXd z = x * w;
    return z.unaryExpr(&detail::softplus).sum() - y.dot(z) + penalty.dot(w.cwiseAbs2()) / 2;
  };
  Eigen::VectorXd w = Eigen::VectorXd::Zero(columns + 1);
  double now = loss(w);
  for (int iteration = 0; iteration < options.max_iterations; ++iteration) {
    const Eigen::VectorXd p = (x * w).unaryExpr(&detail::logistic);
    const Eigen::VectorXd slope = x.transpose() * (p - y) + penalty.cwiseProduct(w);
    if (slope.cwiseAbs().maxCoeff() <= options.tolerance * double(rows)) {
      return {w[0], {w.data() + 1, w.data() + w.size()}};
    }
    const Eigen::VectorXd weight = p.array() * (1 - p.array());
    Matrix curvature = x.transpose() * weight.asDiagonal() * x;
    curvature.diagonal() += penalty;
    const Eigen::VectorXd step = curvature.ldlt().solve(slope);
    for (double length = 1;; length /= 2) {
      const Eigen::VectorXd next = w - length * step;
      const double there = loss(next);
      if (there <= now * (1 + 1e-12) || length < 1e-10) {  // near the minimum the loss itself is noise
        w = next;
        now = there;
        break;
      }
    }
  }
  throw Error(ErrorCode::options,
              "logistic fit: no minimum after max_iterations = " + std::to_string(options.max_iterations));
}

ICHDET_INLINE std::array<double, 4> case_features(std::span<const double> probabilities) {
  if (probabilities.empty()) return {};
  std::array<double, 3> top{};
  const auto end =
      std::partial_sort_copy(probabilities.begin(), probabilities.end(), top.begin(), top.end(), std::greater<>());
  const auto count = double(probabilities.size());
  return {top[0], std::accumulate(top.begin(), end, 0.0) / double(end - top.begin()),
          double(std::ranges::count_if(probabilities, [](double p) { return p > 0.5; })) / count,
          std::accumulate(probabilities.begin(), probabilities.end(), 0.0) / count};
}

}  // namespace ichdet
