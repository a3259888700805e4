#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ichdet/core/results.hpp"
#include "ichdet/core/slice_stack.hpp"

// Native slices, some at a time.
namespace ichdet::pipeline {

struct Slab {
  std::int64_t first;
  SliceGeometry geometry;
};

/// Of about 16 slices each, in order.
std::vector<Slab> slabs(const SliceGeometry& slices);

std::vector<std::span<const std::uint8_t>> values_of(const std::vector<Array3<std::uint8_t>>& labels);

/// Adds a sentence to `result.review` that names the slices which a classifier finds positive, and where no blood is
/// outlined (S2's warning).
void flag_disagreement(StudyResult& result, const SliceLabels& labels, const std::vector<bool>& positive);

}  // namespace ichdet::pipeline
