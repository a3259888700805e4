#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ichdet/core/config.hpp"
#include "ichdet/core/results.hpp"

namespace ichdet {

/// Probabilities that are too near to one half for an answer to stand without a second look; both ends belong to it.
struct ReviewRange {
  double low = 0.4, high = 0.6;
};

/// Throws Error(options) unless 0 <= low <= high <= 1.
void check(const ReviewRange& range);

/// In use, where no annotation is: whether a person should look (S3, difficult cases).
bool needs_review(double probability, const ReviewRange& range = {});

/// With annotation, S3's difficult cases: at most `high` among the positive ones, at least `low` among the negative.
/// The rows of them, ascending. Throws Error(shape) where the lengths differ.
std::vector<std::int64_t> difficult_cases(std::span<const std::uint8_t> truth, std::span<const double> probabilities,
                                          const ReviewRange& range = {});

/// Adds a sentence to `result.review` where the study's probability lies in the range.
void flag_for_review(StudyResult& result, const ReviewRange& range = {});

}  // namespace ichdet

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/aggregate/review_inl.hpp"
#endif
