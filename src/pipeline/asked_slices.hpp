#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "ichdet/core/results.hpp"
#include "ichdet/core/slice_stack.hpp"

namespace ichdet::pipeline {

/// The slices that networks are asked about, ascending: those given; else those with head, or all. Throws
/// Error(options) where none is given, the stack has no such slice, or they do not ascend.
std::vector<std::int64_t> asked_slices(const SliceStack& stack, const std::optional<std::vector<std::int64_t>>& given,
                                       bool skip_empty, int threads);

/// Says among the assumptions how many of a stack's slices show no head and were not asked about; nothing where all
/// were.
void note_headless(StudyResult& result, std::int64_t slices, std::int64_t asked);

}  // namespace ichdet::pipeline
