#pragma once

#include <ATen/core/Tensor.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/ir/ir.h>

#include <optional>
#include <string>
#include <vector>

// What fold and the engines read from a traced graph.
namespace ichdet::nn {

inline bool is(const torch::jit::Node* node, const char* kind) {
  return node->kind().toQualString() == std::string_view(kind);
}

/// The value of a constant, and of a list of constants.
inline std::optional<c10::IValue> constant(const torch::jit::Value* value) {
  if (auto found = torch::jit::toIValue(value)) return found;
  if (value->node()->kind() != torch::jit::prim::ListConstruct) return std::nullopt;
  c10::impl::GenericList list(value->type()->expectRef<c10::ListType>().getElementType());
  for (const auto* item : value->node()->inputs()) {
    const auto one = torch::jit::toIValue(item);
    if (!one) return std::nullopt;
    list.push_back(*one);
  }
  return c10::IValue(list);
}

/// The tensor that input `i` of `node` is, where it is a constant; undefined for None.
inline std::optional<at::Tensor> constant_tensor(const torch::jit::Node* node, std::size_t i) {
  const auto value = constant(node->input(i));
  if (!value) return std::nullopt;
  if (value->isNone()) return at::Tensor();
  if (!value->isTensor()) return std::nullopt;
  return value->toTensor();
}

/// The sizes of a traced tensor; empty optional for other values.
inline std::optional<std::vector<std::int64_t>> sizes(const torch::jit::Value* value) {
  const auto type = value->type()->cast<c10::TensorType>();
  return type ? type->sizes().concrete_sizes() : std::nullopt;
}

inline bool has_one_reader(const torch::jit::Value* value) { return value->uses().size() == 1; }

}  // namespace ichdet::nn
