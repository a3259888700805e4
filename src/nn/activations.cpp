#include "activations.hpp"

#include <map>

#include "graph_tools.hpp"

namespace ichdet::nn {

std::optional<Activation> activation_of(const torch::jit::Node* node) {
  static const std::map<std::string_view, const char*> names = {{"aten::relu", "relu"},
                                                                {"aten::silu", "swish"},
                                                                {"aten::sigmoid", "sigmoid"},
                                                                {"aten::tanh", "tanh"},
                                                                {"aten::hardswish", "hardswish"},
                                                                {"aten::hardsigmoid", "hardsigmoid"},
                                                                {"aten::leaky_relu", "leaky_relu"},
                                                                {"aten::hardtanh", "hardtanh"},
                                                                {"aten::gelu", "gelu"}};
  const auto name = names.find(node->kind().toQualString());
  if (name == names.end()) return std::nullopt;
  Activation activation{name->second, {}, ""};
  for (std::size_t i = 1; i < node->inputs().size(); ++i) {
    const auto value = constant(node->input(i));
    if (!value) return std::nullopt;
    if (value->isString()) {
      activation.algorithm = value->toStringRef();
    } else {
      activation.scalars.push_back(value->toScalar().toDouble());
    }
  }
  return activation;
}

}  // namespace ichdet::nn
