#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ichdet/core/config.hpp"
#include "ichdet/evaluate/confusion.hpp"

namespace ichdet::evaluate {

/// Cases from the highest score to the lowest: what curves and their areas are made from. Sorted once, it serves any
/// number of resamples.
struct Ranking {
  std::vector<std::int32_t> rows;      ///< which case lies at each rank; equal scores in the order of the rows
  std::vector<std::uint8_t> positive;  ///< the truth at each rank, 0 or 1
  std::vector<std::int32_t> ends;      ///< the rank behind each run of equal scores
  std::vector<double> thresholds;      ///< the score of each run, descending
};

/// Throws Error(shape) where the lengths differ or are above 2^31 - 1, Error(options) where a score is not finite.
Ranking rank(Labels truth, Scores scores);

/// A point for "no case is positive" and one for each distinct score, thresholds descending from infinity. Decisions
/// are "score >= threshold". Rates are NaN where their class has no case.
struct RocCurve {
  std::vector<double> false_positive_rate, true_positive_rate, thresholds;
};
/// As RocCurve. Precision at infinity is set to 1, by scikit-learn's convention; recall is NaN without positive cases.
struct PrCurve {
  std::vector<double> recall, precision, thresholds;
};
RocCurve roc_curve(const Ranking& ranking);
PrCurve pr_curve(const Ranking& ranking);

/// Areas under the curves; NaN where they are not defined.
struct Areas {
  double roc_auc = 0;            ///< trapezoids: ties count one half (Mann-Whitney); needs both classes
  double average_precision = 0;  ///< sum of precision times step in recall, no interpolation; needs positive cases
  double pr_auc = 0;             ///< trapezoids under the PR curve, which is a little optimistic; needs positive cases
};

/// `multiplicity`, where given, says how often each case (by row, not by rank) was drawn. Counting is exact in
/// integers, so the ROC area is the exact fraction rounded once. Throws Error(shape) where its length is wrong.
Areas areas(const Ranking& ranking, std::span<const std::uint32_t> multiplicity = {});

}  // namespace ichdet::evaluate

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/evaluate/curves_inl.hpp"
#endif
