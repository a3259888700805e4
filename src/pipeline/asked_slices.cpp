#include "asked_slices.hpp"

#include <numeric>
#include <string>

#include "ichdet/core/error.hpp"
#include "ichdet/pipeline/slice_images.hpp"

namespace ichdet::pipeline {

std::vector<std::int64_t> asked_slices(const SliceStack& stack, const std::optional<std::vector<std::int64_t>>& given,
                                       bool skip_empty, int threads) {
  const auto count = stack.geometry.count();
  if (given) {
    if (given->empty()) throw Error::mismatch(ErrorCode::options, "slices", "at least one", "none");
    std::int64_t before = -1;
    for (const auto k : *given) {
      if (k <= before || k >= count) {
        throw Error::mismatch(ErrorCode::options, "slices", "ascending numbers from 0 to " + std::to_string(count - 1),
                              std::to_string(k));
      }
      before = k;
    }
    return *given;
  }
  if (skip_empty) return slices_with_head(stack, threads);
  std::vector<std::int64_t> all(static_cast<std::size_t>(count));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

void note_headless(StudyResult& result, std::int64_t slices, std::int64_t asked) {
  if (asked == slices) return;
  result.assumptions.push_back(std::to_string(slices - asked) + " of " + std::to_string(slices) +
                               " slices show no head: their probability is 0, and no network was asked.");
}

}  // namespace ichdet::pipeline
