#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "ichdet/train/judge_explanations.hpp"

namespace ichdet::train {

/// Maps (row, column) that know nothing of the model, by name, as judge_explanations() lists them. `head` and `brain`
/// are masks of the slice, booleans; the random map is a function of seed and index.
std::vector<std::pair<std::string, at::Tensor>> maps_without_model(const JudgedSlice& slice, const at::Tensor& head,
                                                                   const at::Tensor& brain, std::uint64_t seed,
                                                                   std::uint64_t index);

}  // namespace ichdet::train
