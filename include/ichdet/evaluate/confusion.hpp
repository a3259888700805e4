#pragma once

#include <cstdint>
#include <span>

#include "ichdet/core/config.hpp"
#include "ichdet/evaluate/proportion.hpp"

namespace ichdet::evaluate {

/// One row per case: 0 negative, anything else positive.
using Labels = std::span<const std::uint8_t>;
/// One row per case, the higher the more positive.
using Scores = std::span<const double>;

/// How decisions agree with the truth. Each rate is a Proportion: its value is NaN where nothing was counted.
struct Confusion {
  std::int64_t true_positives = 0, false_positives = 0, true_negatives = 0, false_negatives = 0;

  std::int64_t total() const noexcept { return true_positives + false_positives + true_negatives + false_negatives; }
  Proportion accuracy() const noexcept { return {true_positives + true_negatives, total()}; }
  /// TPR, recall: of the positive cases.
  Proportion sensitivity() const noexcept { return {true_positives, true_positives + false_negatives}; }
  /// TNR: of the negative cases.
  Proportion specificity() const noexcept { return {true_negatives, true_negatives + false_positives}; }
  /// PPV, precision: of the positive decisions.
  Proportion positive_predictive_value() const noexcept { return {true_positives, true_positives + false_positives}; }
  /// NPV: of the negative decisions.
  Proportion negative_predictive_value() const noexcept { return {true_negatives, true_negatives + false_negatives}; }
  /// F1, the Dice coefficient of decisions and truth; no binomial proportion, so it has no exact interval. NaN where
  /// there is neither a positive case nor a positive decision.
  double f1() const noexcept {
    const auto either = 2 * true_positives + false_positives + false_negatives;
    return either > 0 ? 2 * double(true_positives) / double(either) : undefined;
  }
};

/// Counts decisions. Throws Error(shape) where the lengths differ.
Confusion confusion(Labels truth, Labels decisions);

/// Counts the decisions "score >= threshold". Throws Error(shape) where the lengths differ, Error(options) where a
/// score is NaN.
Confusion confusion_at(Labels truth, Scores scores, double threshold);

}  // namespace ichdet::evaluate

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/evaluate/confusion_inl.hpp"
#endif
