#include "derivatives.hpp"

#include <algorithm>

#include "graph_tools.hpp"
#include "ichdet/core/error.hpp"

namespace ichdet::nn {

const std::map<std::string, Derivatives::Rule>& Derivatives::rules() {
  using D = Derivatives;
  static const std::map<std::string, Rule> table = {{"aten::_convolution", &D::convolution},
                                                    {"aten::linear", &D::linear},
                                                    {"aten::batch_norm", &D::batch_norm},
                                                    {"aten::instance_norm", &D::instance_norm},
                                                    {"aten::max_pool2d", &D::max_pool},
                                                    {"aten::max_pool3d", &D::max_pool},
                                                    {"aten::avg_pool2d", &D::average_pool},
                                                    {"aten::avg_pool3d", &D::average_pool},
                                                    {"aten::adaptive_avg_pool2d", &D::adaptive_average_pool},
                                                    {"aten::adaptive_avg_pool3d", &D::adaptive_average_pool},
                                                    {"aten::upsample_nearest2d", &D::upsampling},
                                                    {"aten::upsample_nearest3d", &D::upsampling},
                                                    {"aten::upsample_bilinear2d", &D::upsampling},
                                                    {"aten::upsample_trilinear3d", &D::upsampling},
                                                    {"aten::sigmoid", &D::by_result},
                                                    {"aten::tanh", &D::by_result},
                                                    {"aten::silu", &D::by_input},
                                                    {"aten::hardswish", &D::by_input},
                                                    {"aten::hardsigmoid", &D::by_input},
                                                    {"aten::gelu", &D::by_input},
                                                    {"aten::relu", &D::relu},
                                                    {"aten::leaky_relu", &D::leaky_relu},
                                                    {"aten::hardtanh", &D::hardtanh},
                                                    {"aten::softmax", &D::softmax},
                                                    {"aten::log_softmax", &D::softmax},
                                                    {"aten::add", &D::sum_of_two},
                                                    {"aten::sub", &D::sum_of_two},
                                                    {"aten::mul", &D::product},
                                                    {"aten::div", &D::quotient},
                                                    {"aten::mean", &D::mean},
                                                    {"aten::sum", &D::sum},
                                                    {"aten::cat", &D::cat},
                                                    {"prim::ListConstruct", nullptr},  // cat looks through it
                                                    {"aten::view", &D::shape},
                                                    {"aten::reshape", &D::shape},
                                                    {"aten::_unsafe_view", &D::shape},
                                                    {"aten::flatten", &D::shape},
                                                    {"aten::squeeze", &D::shape},
                                                    {"aten::unsqueeze", &D::shape},
                                                    {"aten::expand", &D::expand},
                                                    {"aten::permute", &D::permute},
                                                    {"aten::slice", &D::slice},
                                                    {"aten::select", &D::select},
                                                    {"aten::constant_pad_nd", &D::padding}};
  return table;
}

void Derivatives::add(const Value* value, Value* gradient) {
  if (!varies(value)) return;
  auto& known = gradients_[value];
  known = known == nullptr ? gradient : emit("aten::add", {known, gradient, number(1)}, *sizes(value));
}

torch::jit::Value* Derivatives::of(const Value* value) const {
  const auto found = gradients_.find(value);
  return found == gradients_.end() ? nullptr : found->second;
}

void Derivatives::pass(Node* node) {
  const std::string kind = node->kind().toQualString();
  const auto rule = rules().find(kind);
  if (rule == rules().end() || (rule->second != nullptr && (node->outputs().size() != 1 || !sizes(node->output())))) {
    throw Error(ErrorCode::options, "gradient: no rule for " + kind);
  }
  auto* gradient = rule->second == nullptr ? nullptr : of(node->output());
  if (gradient != nullptr) (this->*rule->second)(node, gradient);
}

torch::jit::Value* Derivatives::emit(const char* kind, std::vector<Value*> inputs, const Sizes& size) {
  auto* node = graph_.insertNode(graph_.create(c10::Symbol::fromQualString(kind), inputs));
  node->output()->setType(c10::TensorType::createContiguous(at::kFloat, at::kCPU, size));
  return node->output();
}

torch::jit::Value* Derivatives::number(c10::IValue value) {
  if (value.isTensor() && value.toTensor().requires_grad()) value = value.toTensor().detach();  // a parameter
  return graph_.insertConstant(std::move(value));
}

torch::jit::Value* Derivatives::reshaped(Value* gradient, const Sizes& size) {
  return sizes(gradient) == size ? gradient : emit("aten::reshape", {gradient, number(size)}, size);
}

torch::jit::Value* Derivatives::shrunk(Value* gradient, const Sizes& size) {
  const auto from = *sizes(gradient);
  const auto extra = from.size() - size.size();
  Sizes axes, kept = from;
  for (std::size_t axis = 0; axis < from.size(); ++axis) {
    if (axis >= extra && size[axis - extra] == from[axis]) continue;
    axes.push_back(std::int64_t(axis));
    kept[axis] = 1;
  }
  if (axes.empty()) return gradient;
  return reshaped(emit("aten::sum", {gradient, number(axes), number(true), number(c10::IValue())}, kept), size);
}

torch::jit::Value* Derivatives::spread(Value* gradient, const Sizes& size) {
  return sizes(gradient) == size ? gradient : emit("aten::expand", {gradient, number(size), number(false)}, size);
}

}  // namespace ichdet::nn
