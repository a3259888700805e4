#pragma once

#include <Eigen/Core>
#include <cstdint>
#include <span>

#include "ichdet/core/config.hpp"
#include "ichdet/evaluate/confusion.hpp"

namespace ichdet::evaluate {

/// McNemar's test of two decisions on the same cases: two-sided.
struct McNemar {
  std::int64_t only_a = 0, only_b = 0;  ///< cases that only a, or only b, got right
  double exact_p = 1;                   ///< binomial; 1 without discordant cases
  double chi2 = 0;                      ///< (|a - b| - 1)^2 / (a + b), and 0 where a = b; NaN without discordant cases
  double chi2_p = 1;                    ///< of chi2 with one degree of freedom
};
/// Throws Error(options) where a count is negative.
McNemar mcnemar(std::int64_t only_a, std::int64_t only_b);
/// From decisions. Throws Error(shape) where the lengths differ.
McNemar mcnemar(Labels truth, Labels a, Labels b);

enum class KappaWeights {
  none,       ///< categories are names
  linear,     ///< ordered: disagreement weighs |i - j|
  quadratic,  ///< ordered: disagreement weighs (i - j)^2
};

struct Kappa {
  double value = undefined;           ///< NaN where chance alone agrees wholly: all in one category
  double standard_error = undefined;  ///< asymptotic (Fleiss, Cohen and Everitt 1969)
  Interval interval;                  ///< value -+ z standard errors, not cut
};

/// Cohen's kappa of two raters. `table(i, j)`: cases that the first put into category i, the second into j.
/// Throws Error(shape) unless it is square with two or more categories, Error(options) where a count is negative.
Kappa cohen_kappa(const Eigen::MatrixXd& table, KappaWeights weights = KappaWeights::none, double confidence = 0.95);

/// `table(i, j)` from two ratings in 0 ... categories - 1. Throws Error(shape) where the lengths differ, Error(options)
/// that names the row where a rating is outside.
Eigen::MatrixXd rating_table(std::span<const std::int32_t> a, std::span<const std::int32_t> b, int categories);

/// Fleiss' kappa (Psychological Bulletin 1971) of several raters. `counts(i, j)`: how many put case i into category j.
/// NaN where all chose one category. For an interval, bootstrap the cases.
/// Throws Error(shape) unless every case has the same number of ratings, two or more.
double fleiss_kappa(const Eigen::MatrixXd& counts);

}  // namespace ichdet::evaluate

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/evaluate/agreement_inl.hpp"
#endif
