#include "torch_operators.hpp"

#include <ATen/core/dispatch/Dispatcher.h>

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>

#include "graph_tools.hpp"

namespace ichdet::nn {

using torch::jit::Node;
using torch::jit::Stack;

bool multiplies(const Node* node) {
  static const std::set<std::string_view> kinds = {
      "aten::_convolution", "aten::linear", "aten::matmul",  "aten::mm",
      "aten::bmm",          "aten::addmm",  "aten::baddbmm", "aten::scaled_dot_product_attention"};
  return kinds.contains(node->kind().toQualString());
}

std::function<void(Stack&)> operation_of(const Node* node) {
  if (node->kind() == torch::jit::prim::ListConstruct) {
    return [type = node->output()->type()->expectRef<c10::ListType>().getElementType()](Stack& stack) {
      c10::impl::GenericList list(type);
      for (auto& item : stack) list.push_back(std::move(item));
      stack = {c10::IValue(std::move(list))};
    };
  }
  if (node->kind() == torch::jit::prim::ListUnpack) {
    return [](Stack& stack) { stack = stack.front().toListRef().vec(); };
  }
  const bool only_float = is(node, "aten::avg_pool3d");  // LibTorch 2.13 has none for bfloat16
  return [operation = node->getOperation(), only_float](Stack& stack) {
    const auto type = only_float ? stack.front().toTensor().scalar_type() : at::kFloat;
    if (only_float) stack.front() = stack.front().toTensor().to(at::kFloat);
    auto once = operation;  // its call is not const
    once(stack);
    if (only_float) stack.front() = stack.front().toTensor().to(type);
  };
}

bool takes_both_types(const Node* node) {
  static const std::set<std::string_view> kinds = {"aten::layer_norm", "aten::group_norm", "aten::batch_norm"};
  return kinds.contains(node->kind().toQualString());
}

void widen_mixed(Stack& stack) {
  const auto wide = [](const c10::IValue& value) {
    if (value.isTensor()) return value.toTensor().defined() && value.toTensor().scalar_type() == at::kFloat;
    if (!value.isTensorList()) return false;
    const auto list = value.toTensorVector();
    return std::any_of(list.begin(), list.end(), [](const auto& x) { return x.scalar_type() == at::kFloat; });
  };
  if (std::none_of(stack.begin(), stack.end(), wide)) return;
  for (auto& value : stack) {
    if (value.isTensor() && value.toTensor().defined() && value.toTensor().scalar_type() == at::kBFloat16) {
      value = value.toTensor().to(at::kFloat);
    }
  }
}

std::optional<c10::OperatorHandle> overwriting(const Node* node) {
  static const std::set<std::string_view> kinds = {
      "aten::relu",     "aten::leaky_relu", "aten::silu",        "aten::sigmoid", "aten::tanh",
      "aten::hardtanh", "aten::hardswish",  "aten::hardsigmoid", "aten::gelu",    "aten::elu",
      "aten::add",      "aten::sub",        "aten::mul",         "aten::div",     "aten::clamp"};
  if (!kinds.contains(node->kind().toQualString())) return std::nullopt;
  const auto& schema = node->schema();
  return c10::Dispatcher::singleton().findSchema({schema.name() + "_", schema.overload_name()});
}

Convolution convolution_of(const Node* layer) {
  const auto axes = std::size_t(constant_tensor(layer, 1)->dim()) - 2;
  const auto list = [&](std::size_t i) {
    auto values = constant(layer->input(i))->toIntVector();
    if (values.size() == 1) values.resize(axes, values.front());
    return values;
  };
  return {*constant_tensor(layer, 1),          *constant_tensor(layer, 2),        list(3), list(4), list(5), list(7),
          constant(layer->input(6))->toBool(), constant(layer->input(8))->toInt()};
}

bool has_wide_gaps(const Node* node) {
  if (!is(node, "aten::_convolution") || !constant(node->input(6)) || !constant(node->input(6))->toBool()) return false;
  constexpr std::int64_t wide = 4;
  const auto stride = constant(node->input(3)), dilation = constant(node->input(5));
  if (!stride || !dilation) return false;
  const auto most = [](const c10::IValue& list) {
    const auto values = list.toIntVector();
    return *std::max_element(values.begin(), values.end());
  };
  return most(*stride) > wide || most(*dilation) > 1;
}

}  // namespace ichdet::nn
