#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "ichdet/core/config.hpp"

namespace ichdet {

/// probability = 1 / (1 + exp(-(intercept + weights · features)))
struct LogisticModel {
  double intercept = 0;
  std::vector<double> weights;

  /// Throws Error(shape) unless there are as many features as weights.
  double operator()(std::span<const double> features) const;
};

struct LogisticFitOptions {
  double l2 = 1;  ///< strength of the penalty l2 / 2 · |weights|², above 0; the intercept is free
  int max_iterations = 100;
  double tolerance = 1e-10;  ///< the largest slope of the loss that counts as 0, relative to the number of rows
};

/// Minimises the sum of log losses and the penalty by Newton's method (iteratively reweighted least squares) with step
/// halving; the minimum is unique. scikit-learn's LogisticRegression with C = 1 / l2 has the same one.
///
/// `features` is (rows, columns), row-major; `truth` 0 or 1 for each row.
/// Throws Error(shape) where sizes disagree, Error(options) where an option is out of range, a feature is not finite,
/// truth is neither 0 nor 1, or all of one kind, and where max_iterations do not suffice.
LogisticModel fit_logistic(std::span<const double> features, std::span<const std::uint8_t> truth,
                           const LogisticFitOptions& options = {});

/// What the learned case rule reads of a study's slices.
inline constexpr std::array<std::string_view, 4> case_feature_names{"highest probability", "mean of the three highest",
                                                                    "share of slices above 0.5", "mean"};

/// In the order of case_feature_names; without slices all 0.
std::array<double, 4> case_features(std::span<const double> probabilities);

}  // namespace ichdet

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/aggregate/logistic_inl.hpp"
#endif
