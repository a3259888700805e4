#pragma once

#include <Eigen/Core>
#include <cstdint>
#include <vector>

#include "ichdet/core/config.hpp"
#include "ichdet/evaluate/confusion.hpp"

namespace ichdet::evaluate {

/// Areas under the ROC curves of several scores of the same cases, and how they vary together.
struct AucCovariance {
  Eigen::VectorXd auc;         ///< ties count one half; NaN where a class has no case
  Eigen::MatrixXd covariance;  ///< NaN where a class has fewer than two cases
  std::int64_t positives = 0, negatives = 0;
};

/// DeLong, DeLong and Clarke-Pearson (Biometrics 1988), from ranks in place of all pairs (after Sun and Xu, IEEE
/// Signal Processing Letters 2014): n log n for each score. Cases must be independent: for several rows of a patient
/// use the bootstrap. Throws Error(shape) where lengths differ, Error(options) where a score is not finite.
AucCovariance delong(Labels truth, const std::vector<Scores>& scores);

/// auc -+ z sqrt(variance), cut to [0, 1]. Of no width at an area of exactly 0 or 1, where the method knows no
/// variance.
Interval delong_interval(double auc, double variance, double confidence = 0.95);

/// A two-sided test of equal areas.
struct DelongTest {
  double auc_a = 0, auc_b = 0;
  double difference = 0;  ///< a - b
  double standard_error = 0;
  double z = 0;
  double p_value = 0;
  Interval interval;  ///< of the difference
};

/// Paired: both scores are of the same cases. Where the difference is 0 without any variance (equal rankings), z is 0
/// and p is 1; where a class has fewer than two cases they are NaN. Throws as `delong`.
DelongTest delong_test(Labels truth, Scores a, Scores b, double confidence = 0.95);

}  // namespace ichdet::evaluate

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/evaluate/delong_inl.hpp"
#endif
