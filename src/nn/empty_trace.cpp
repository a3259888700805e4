#include "empty_trace.hpp"

#include <ATen/Functions.h>
#include <torch/csrc/jit/frontend/tracer.h>
#include <torch/csrc/jit/ir/ir.h>

#include <algorithm>
#include <exception>
#include <string_view>
#include <vector>

#include "graph_tools.hpp"

namespace ichdet::nn {
namespace {

using torch::jit::Node;
using Sizes = std::vector<std::int64_t>;

/// Whether the axis that argument `i` names, or all of those, are others than that of samples.
bool within_samples(const Node* node, std::size_t i) {
  const auto given = constant(node->input(i));
  if (!given || given->isNone()) return false;
  const auto axes = given->isInt() ? Sizes{given->toInt()} : given->toIntVector();
  const auto read = sizes(node->input(0)), made = sizes(node->output(0));  // a list has no sizes
  const auto rank = std::int64_t(read ? read->size() : made ? made->size() : 0);
  return !axes.empty() && std::ranges::all_of(axes, [&](auto axis) { return axis > 0 || (axis < 0 && -axis < rank); });
}

/// A number that x.size(0) may have been.
bool is_zero(const torch::jit::Value* value) {
  const auto number = torch::jit::toIValue(value);
  return number && number->isScalar() && number->toScalar().toDouble() == 0;
}

/// Operators that make each sample of the result from the same sample of what they read.
bool keeps_samples(const Node* node) {
  static const char* const always[] = {"aten::_convolution",
                                       "aten::adaptive_avg_pool2d",
                                       "aten::add",
                                       "aten::addmm",
                                       "aten::avg_pool2d",
                                       "aten::avg_pool3d",
                                       "aten::batch_norm",
                                       "aten::clamp_min",
                                       "aten::constant_pad_nd",
                                       "aten::contiguous",
                                       "aten::div",
                                       "aten::dropout",
                                       "aten::elu",
                                       "aten::empty_like",
                                       "aten::feature_dropout",
                                       "aten::full_like",
                                       "aten::gelu",
                                       "aten::group_norm",
                                       "aten::hardtanh",
                                       "aten::instance_norm",
                                       "aten::leaky_relu",
                                       "aten::linear",
                                       "aten::max_pool2d",
                                       "aten::max_pool3d",
                                       "aten::mul",
                                       "aten::relu",
                                       "aten::relu6",
                                       "aten::sigmoid",
                                       "aten::silu",
                                       "aten::sqrt",
                                       "aten::square",
                                       "aten::sub",
                                       "aten::tanh",
                                       "aten::upsample_bilinear2d",
                                       "aten::upsample_nearest2d",
                                       "aten::upsample_nearest3d",
                                       "prim::ListConstruct",
                                       "prim::ListUnpack"};
  const std::string_view kind = node->kind().toQualString();
  if (kind == "prim::Constant") {  // made of x.size(0), as it was then
    const auto value = torch::jit::toIValue(node->output());
    return !value || !value->isTensor() || !value->toTensor().defined() || value->toTensor().numel() > 0;
  }
  const bool arithmetic = kind == "aten::add" || kind == "aten::sub" || kind == "aten::mul" || kind == "aten::div";
  if (arithmetic && is_zero(node->input(1))) return false;
  if (std::ranges::find(always, kind) != std::end(always)) return true;
  if (kind == "aten::cat" || kind == "aten::mean" || kind == "aten::sum" || kind == "aten::softmax" ||
      kind == "aten::unsqueeze" || kind == "aten::squeeze" || kind == "aten::select" || kind == "aten::slice" ||
      kind == "aten::flatten") {
    return within_samples(node, 1);
  }
  return kind == "aten::split_with_sizes" && within_samples(node, 2);
}

bool is_reshape(const Node* node) { return is(node, "aten::reshape") || is(node, "aten::view"); }

std::int64_t voxels(const Sizes& size) { return c10::multiply_integers(size.begin() + 1, size.end()); }

/// With N samples in place of none; false where they do not stay apart.
bool give_samples(Node* node, std::int64_t samples) {
  if (is_reshape(node)) {
    const auto before = sizes(node->input(0)), after = sizes(node->output());
    const auto wanted = constant(node->input(1));
    if (!before || !after || !wanted || after->empty() || voxels(*before) != voxels(*after)) return false;
    auto shape = *after;
    shape[0] = samples;
    const torch::jit::WithInsertPoint here(node);
    node->replaceInput(1, node->owningGraph()->insertConstant(shape));
  } else if (!keeps_samples(node)) {
    return false;
  }
  return true;
}

bool give_samples(torch::jit::Value* value, std::int64_t samples) {
  const auto type = value->type()->cast<c10::TensorType>();
  if (!type || value->node()->kind() == torch::jit::prim::Constant) return true;
  auto size = sizes(value);
  if (!size || size->empty() || size->front() != 0 || std::find(size->begin() + 1, size->end(), 0) != size->end()) {
    return false;
  }
  size->front() = samples;
  value->setType(c10::TensorType::createContiguous(type->scalarType().value_or(at::kFloat),
                                                   type->device().value_or(at::Device(at::kCPU)), *size));
  return true;
}

}  // namespace

std::shared_ptr<torch::jit::Graph> trace_empty(const TraceOf& trace, at::IntArrayRef shape) try {
  if (shape.empty() || shape.front() == 0) return nullptr;
  auto none = shape.vec();
  none.front() = 0;
  const auto graph = trace(none);
  // Nodes first: what they say of axes is read from the sizes that were traced.
  for (auto* node : graph->nodes()) {
    if (!node->blocks().empty() || !give_samples(node, shape.front())) return nullptr;
  }
  for (auto* node : graph->nodes()) {
    for (auto* output : node->outputs()) {
      if (!give_samples(output, shape.front())) return nullptr;
    }
  }
  return give_samples(graph->inputs().front(), shape.front()) ? graph : nullptr;
} catch (const std::exception&) {  // an operator that takes no empty tensor
  return nullptr;
}

at::Tensor instance_norm_of_any(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, double momentum,
                                double epsilon) {
  namespace tracer = torch::jit::tracer;
  if (x.size(0) != 0) return at::instance_norm(x, weight, bias, {}, {}, true, momentum, epsilon, false);
  if (!tracer::isTracing()) return at::empty_like(x);
  auto state = tracer::getTracingState();
  auto* node = state->createNode(c10::Symbol::fromQualString("aten::instance_norm"), 0);
  tracer::addInputs(node, "input", x);
  for (const auto& tensor : {weight, bias, at::Tensor(), at::Tensor()}) tracer::addInputs(node, "", tensor);
  tracer::addInputs(node, "use_input_stats", true);
  tracer::addInputs(node, "momentum", momentum);
  tracer::addInputs(node, "eps", epsilon);
  tracer::addInputs(node, "cudnn_enabled", false);
  state->insertNode(node);
  tracer::setTracingState(nullptr);
  const auto out = at::empty_like(x);
  tracer::setTracingState(std::move(state));
  tracer::addOutput(node, out);
  return out;
}

}  // namespace ichdet::nn
