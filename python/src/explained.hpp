#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "ichdet/attribution/baseline.hpp"
#include "ichdet/attribution/target.hpp"
#include "tensor_like.hpp"

// What is explained, as Python gives it. `ichdet.attribution.Explained` is attribution::Explained: functions bound in
// any file of the extension take it as that.
namespace ichdet::python {

/// A class, one class for each image, or a function of the output; None: each image's highest output.
using TargetArgument =
    std::optional<std::variant<std::int64_t, std::vector<std::int64_t>, std::function<at::Tensor(at::Tensor)>>>;

inline attribution::Target target_of(const TargetArgument& given) {
  if (!given) return attribution::highest_score();
  if (const auto* index = std::get_if<std::int64_t>(&*given)) return attribution::class_score(*index);
  if (const auto* indices = std::get_if<std::vector<std::int64_t>>(&*given)) return attribution::class_score(*indices);
  return std::get<2>(*given);
}

/// A tensor, or 'zero', 'black', 'white'.
using BaselineArgument = std::variant<TensorLike, std::string>;

inline at::Tensor baseline_of(const at::Tensor& input, const BaselineArgument& given) {
  if (const auto* tensor = std::get_if<TensorLike>(&given)) return *tensor;
  return attribution::baseline_of(input, attribution::parse_baseline(std::get<std::string>(given)));
}

}  // namespace ichdet::python
