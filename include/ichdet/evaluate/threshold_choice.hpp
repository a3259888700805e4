#pragma once

#include "ichdet/core/config.hpp"
#include "ichdet/evaluate/curves.hpp"

namespace ichdet::evaluate {

/// A threshold and what it does to the cases that it was chosen on.
struct ThresholdChoice {
  double threshold = 0;  ///< half-way between two scores, or a score and 0 or 1: ">" and ">=" decide alike
  Confusion counts;
};

/// Note [Choosing thresholds]
///
/// `ranking` holds probabilities in [0, 1] of cases that the model did not learn from. All throw Error(options) unless
/// there are positive and negative cases, or a probability is not in [0, 1]. Where several thresholds are equally good,
/// the lowest is taken: it misses least.

/// Of those with at least this sensitivity, in (0, 1], the one with the highest specificity.
ThresholdChoice threshold_for_sensitivity(const Ranking& ranking, double sensitivity);

/// The highest sensitivity + specificity - 1 (Youden 1950).
ThresholdChoice threshold_by_youden(const Ranking& ranking);

/// The least cost, a missed case costing `miss` and a false alarm `false_alarm`, both above 0.
ThresholdChoice threshold_by_cost(const Ranking& ranking, double miss, double false_alarm);

}  // namespace ichdet::evaluate

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/evaluate/threshold_choice_inl.hpp"
#endif
