#pragma once

#include <cstdio>
#include <string>

#include "ichdet/aggregate/review.hpp"
#include "ichdet/core/error.hpp"

namespace ichdet {

ICHDET_INLINE void check(const ReviewRange& range) {
  if (range.low >= 0 && range.low <= range.high && range.high <= 1) return;
  throw Error::mismatch(ErrorCode::options, "review range", "0 <= low <= high <= 1",
                        std::to_string(range.low) + " to " + std::to_string(range.high));
}

ICHDET_INLINE bool needs_review(double probability, const ReviewRange& range) {
  return probability >= range.low && probability <= range.high;
}

ICHDET_INLINE std::vector<std::int64_t> difficult_cases(std::span<const std::uint8_t> truth,
                                                        std::span<const double> probabilities,
                                                        const ReviewRange& range) {
  check(range);
  if (truth.size() != probabilities.size()) {
    throw Error::mismatch(ErrorCode::shape, "difficult cases: probabilities", std::to_string(truth.size()) + " rows",
                          std::to_string(probabilities.size()));
  }
  std::vector<std::int64_t> rows;
  for (std::size_t i = 0; i < truth.size(); ++i) {
    if (truth[i] != 0 ? probabilities[i] <= range.high : probabilities[i] >= range.low) rows.push_back(std::int64_t(i));
  }
  return rows;
}

ICHDET_INLINE void flag_for_review(StudyResult& result, const ReviewRange& range) {
  if (!needs_review(result.decision.probability, range)) return;
  char text[96];
  std::snprintf(text, sizeof text, "undecided: the probability %.2f lies in %g to %g", result.decision.probability,
                range.low, range.high);
  result.review.emplace_back(text);
}

}  // namespace ichdet
