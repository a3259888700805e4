#include "plan.hpp"

#include <algorithm>
#include <utility>

#include "ichdet/core/progress.hpp"

namespace ichdet::nn {

void Plan::mark_last() {
  std::vector<bool> read(slots);
  read[output] = true;
  for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
    for (auto argument = step->arguments.rbegin(); argument != step->arguments.rend(); ++argument) {
      argument->last = !read[argument->slot];
      read[argument->slot] = true;
    }
  }
}

at::Tensor Plan::run(const at::Tensor& input_tensor) const {
  std::vector<c10::IValue> values(slots);
  values[input] = input_tensor;
  for (const auto& step : steps) {
    StopScope::check("network");
    auto stack = step.constants;
    for (const auto& argument : step.arguments) {
      auto& value = values[argument.slot];
      stack[argument.position] = argument.last ? std::move(value) : value;
    }
    step.body(stack);
    for (std::size_t i = 0; i < step.results.size(); ++i) values[step.results[i]] = std::move(stack[i]);
  }
  return std::move(values[output]).toTensor();
}

}  // namespace ichdet::nn
