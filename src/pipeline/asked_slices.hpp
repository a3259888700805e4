#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "ichdet/core/slice_stack.hpp"

namespace ichdet::pipeline {

/// The slices that networks are asked about, ascending: those given; else those with head, or all. Throws
/// Error(options) where none is given, the stack has no such slice, or they do not ascend.
std::vector<std::int64_t> asked_slices(const SliceStack& stack, const std::optional<std::vector<std::int64_t>>& given,
                                       bool skip_empty, int threads);

}  // namespace ichdet::pipeline
