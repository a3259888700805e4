#include "small_tensors.hpp"

#include <ATen/core/grad_mode.h>
#include <c10/core/InferenceMode.h>

#include "../nn/torch_operators.hpp"

namespace ichdet::native {

SmallTensors::SmallTensors(const std::vector<Name>& given, const std::vector<Name>& wanted) {
  for (const auto value : given) given_.push_back(slots_.emplace(value, slots_.size()).first->second);
  for (const auto value : wanted) wanted_.push_back(add(value));
}

std::size_t SmallTensors::add(Name value) {
  if (const auto found = slots_.find(value); found != slots_.end()) return found->second;
  const auto* node = value->node();
  Call call;
  call.body = nn::operation_of(node);
  call.arguments.resize(node->inputs().size());
  for (std::size_t i = 0; i < node->inputs().size(); ++i) {
    if (auto known = constant(node->input(i))) {
      call.arguments[i] = std::move(*known);
    } else {
      call.from_slots.emplace_back(i, add(node->input(i)));
    }
  }
  for (const auto* output : node->outputs())
    call.results.push_back(slots_.emplace(output, slots_.size()).first->second);
  calls_.push_back(std::move(call));
  return slots_.at(value);
}

std::vector<at::Tensor> SmallTensors::run(const std::vector<at::Tensor>& given) const {
  const c10::InferenceMode off(false);
  const at::NoGradGuard no_grad;
  std::vector<c10::IValue> values(slots_.size());
  for (std::size_t i = 0; i < given.size(); ++i) values[given_[i]] = given[i];
  for (const auto& call : calls_) {
    auto stack = call.arguments;
    for (const auto& [argument, slot] : call.from_slots) stack[argument] = values[slot];
    call.body(stack);
    for (std::size_t i = 0; i < call.results.size(); ++i) values[call.results[i]] = std::move(stack[i]);
  }
  std::vector<at::Tensor> wanted;
  for (const auto slot : wanted_) wanted.push_back(values[slot].toTensor());
  return wanted;
}

}  // namespace ichdet::native
