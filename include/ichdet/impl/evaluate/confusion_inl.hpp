#pragma once

#include <cmath>
#include <string>

#include "ichdet/core/error.hpp"
#include "ichdet/evaluate/confusion.hpp"
#include "ichdet/impl/evaluate/shared.hpp"

namespace ichdet::evaluate {

namespace detail {

ICHDET_INLINE void add_decision(Confusion& counts, bool positive, bool decision) {
  if (positive) {
    ++(decision ? counts.true_positives : counts.false_negatives);
  } else {
    ++(decision ? counts.false_positives : counts.true_negatives);
  }
}

}  // namespace detail

ICHDET_INLINE Confusion confusion(Labels truth, Labels decisions) {
  detail::check_rows("decisions", truth.size(), decisions.size());
  Confusion counts;
  for (std::size_t i = 0; i < truth.size(); ++i) detail::add_decision(counts, truth[i] != 0, decisions[i] != 0);
  return counts;
}

ICHDET_INLINE Confusion confusion_at(Labels truth, Scores scores, double threshold) {
  detail::check_rows("scores", truth.size(), scores.size());
  Confusion counts;
  for (std::size_t i = 0; i < truth.size(); ++i) {
    if (std::isnan(scores[i])) {
      throw Error::mismatch(ErrorCode::options, "scores, row " + std::to_string(i), "a number", "nan");
    }
    detail::add_decision(counts, truth[i] != 0, scores[i] >= threshold);
  }
  return counts;
}

}  // namespace ichdet::evaluate
