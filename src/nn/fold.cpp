#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/jit/passes/dead_code_elimination.h>

#include <numeric>

#include "affine.hpp"
#include "engine.hpp"
#include "graph_tools.hpp"
#include "weight_cache.hpp"

namespace ichdet::nn {
namespace {

using torch::jit::Graph;
using torch::jit::Node;

void replace(Node* node, torch::jit::Value* by) {
  if (!by->type()->cast<c10::TensorType>()) by->setType(node->output()->type());
  node->output()->replaceAllUsesWith(by);
}

/// A node of another kind in the place of `node`.
Node* exchange(Node* node, const char* kind, const std::vector<torch::jit::Value*>& inputs) {
  auto* fresh = node->owningGraph()->create(c10::Symbol::fromQualString(kind), inputs);
  fresh->insertBefore(node);
  fresh->output()->setType(node->output()->type());
  replace(node, fresh->output());
  return fresh;
}

template <class T>
torch::jit::Value* constant_before(Node* node, T&& value) {
  const torch::jit::WithInsertPoint here(node);
  return node->owningGraph()->insertConstant(std::forward<T>(value));
}

bool is_one(const torch::jit::Value* value) {
  const auto scalar = constant(value);
  return scalar && scalar->isScalar() && scalar->toScalar().equal(1);
}

/// The product with a constant matrix, as the linear layer that it is.
void name_linear(Node* node) {
  const bool sums = is(node, "aten::addmm");
  const auto matrix = constant_tensor(node, sums ? 2 : 1);
  if (!matrix || !matrix->defined() || matrix->dim() != 2 || !matrix->is_floating_point()) return;
  auto* input = node->input(sums ? 1 : 0);
  if (!sizes(input) || sizes(input)->empty()) return;
  torch::jit::Value* bias = nullptr;
  if (sums) {
    const auto values = constant_tensor(node, 0);
    if (!values || !values->defined() || values->dim() != 1 || values->numel() != matrix->size(1)) return;
    if (!is_one(node->input(3)) || !is_one(node->input(4))) return;
    bias = node->input(0);
  } else {
    bias = constant_before(node, c10::IValue());
  }
  exchange(node, "aten::linear", {input, constant_before(node, matrix->detach().t()), bias});
}

/// A constant that is added to each row of a linear layer's output, as its bias.
void join_bias(Node* node) {
  if (node->inputs().size() != 3 || !is_one(node->input(2))) return;
  for (const std::size_t i : {0, 1}) {
    auto* layer = node->input(i)->node();
    const auto bias = constant_tensor(node, 1 - i);
    if (!is(layer, "aten::linear") || !has_one_reader(layer->output()) || !bias || !bias->defined()) continue;
    const auto none = constant_tensor(layer, 2), weight = constant_tensor(layer, 1);
    if (!none || none->defined() || !weight || bias->dim() != 1 || bias->numel() != weight->size(0)) continue;
    layer->replaceInput(2, constant_before(layer, bias->detach()));
    return replace(node, layer->output());
  }
}

/// Operators that do nothing in evaluation, and ones that are others written at length.
void simplify(Node* node) {
  static const char* const nothing[] = {"aten::dropout",    "aten::feature_dropout", "aten::alpha_dropout",
                                        "aten::contiguous", "aten::detach",          "aten::clone",
                                        "aten::alias",      "aten::identity"};
  for (const auto* kind : nothing) {
    if (is(node, kind)) return replace(node, node->input(0));
  }
  if (is(node, "aten::relu6")) {
    exchange(node, "aten::hardtanh", {node->input(0), constant_before(node, 0.0), constant_before(node, 6.0)});
  } else if (is(node, "aten::mul")) {
    for (std::size_t i : {0, 1}) {
      const auto* gate = node->input(i)->node();
      if (is(gate, "aten::sigmoid") && gate->input(0) == node->input(1 - i)) {
        exchange(node, "aten::silu", {node->input(1 - i)});
        return;
      }
    }
  } else if (is(node, "aten::prelu")) {
    const auto slope = constant_tensor(node, 1);
    if (slope && slope->defined() && slope->numel() == 1) {
      exchange(node, "aten::leaky_relu", {node->input(0), constant_before(node, slope->item<double>())});
    }
  } else if (is(node, "aten::instance_norm")) {
    const auto own_statistics = constant(node->input(5));
    if (own_statistics && !own_statistics->toBool() && constant_tensor(node, 3) &&
        constant_tensor(node, 3)->defined()) {
      auto* no = constant_before(node, false);
      exchange(node, "aten::batch_norm",
               {node->input(0), node->input(1), node->input(2), node->input(3), node->input(4), no, node->input(6),
                node->input(7), node->input(8)});
    }
  } else if (is(node, "aten::addmm") || is(node, "aten::mm") || is(node, "aten::matmul")) {
    name_linear(node);
  } else if (is(node, "aten::add")) {
    join_bias(node);
  } else if (is(node, "aten::_convolution_mode")) {
    const auto mode = constant(node->input(4)), dilation = constant(node->input(5));
    const auto weight = constant_tensor(node, 1);
    if (!mode || !dilation || !weight) return;
    auto padding = dilation->toIntVector();
    if (padding.size() == 1) padding.resize(std::size_t(weight->dim()) - 2, padding.front());
    for (std::size_t axis = 0; axis < padding.size(); ++axis) {
      const auto reach = padding[axis] * (weight->size(std::int64_t(axis) + 2) - 1);
      if (reach % 2 != 0 && mode->toStringRef() == "same") return;
      padding[axis] = mode->toStringRef() == "same" ? reach / 2 : 0;
    }
    const std::vector<std::int64_t> zeros(padding.size(), 0);
    auto* no = constant_before(node, false);
    exchange(node, "aten::_convolution",
             {node->input(0), node->input(1), node->input(2), node->input(3), constant_before(node, padding),
              node->input(5), no, constant_before(node, zeros), node->input(6), no, no, no, no});
  }
}

/// `weight` with its output channels scaled. Those of a transposed convolution are its second axis, in each group.
at::Tensor scaled(const at::Tensor& weight, const at::Tensor& scale, bool transposed, std::int64_t groups) {
  auto wide = weight.to(at::kDouble);
  if (!transposed) {
    std::vector<std::int64_t> shape(std::size_t(weight.dim()), 1);
    shape[0] = -1;
    wide = wide * scale.view(shape);
  } else {
    wide = wide.reshape({groups, weight.size(0) / groups, weight.size(1), -1}) * scale.view({groups, 1, -1, 1});
  }
  return wide.reshape(weight.sizes()).to(weight.scalar_type()).contiguous();
}

/// Batch norm `node` into the layer that feeds it and nothing else.
void fold_norm(Node* node, WeightCache& weights) {
  auto* layer = node->input(0)->node();
  const bool convolution = is(layer, "aten::_convolution");
  if (!convolution && !(is(layer, "aten::linear") && sizes(layer->output()) && sizes(layer->output())->size() == 2))
    return;
  if (!has_one_reader(layer->output())) return;
  const auto weight = constant_tensor(layer, 1), bias = constant_tensor(layer, 2);
  if (!weight || !bias || !weight->defined()) return;
  bool transposed = false;
  std::int64_t groups = 1;
  if (convolution) {
    const auto is_transposed = constant(layer->input(6)), group_count = constant(layer->input(8));
    if (!is_transposed || !group_count) return;
    transposed = is_transposed->toBool();
    groups = group_count->toInt();
  }
  const auto affine = affine_of(node);
  if (!affine) return;

  std::vector<at::Tensor> sources{*weight};
  for (std::size_t i = 1; i <= 4; ++i) sources.push_back(*constant_tensor(node, i));
  const auto folded =
      weights.derive("fold weight", sources, [&] { return scaled(*weight, affine->scale, transposed, groups); });
  sources.front() = *bias;
  const auto folded_bias = weights.derive("fold bias", sources, [&] {
    const auto shift = bias->defined() ? bias->to(at::kDouble) * affine->scale + affine->shift : affine->shift;
    return shift.to(weight->scalar_type());
  });
  layer->replaceInput(1, constant_before(layer, folded));
  layer->replaceInput(2, constant_before(layer, folded_bias));
  replace(node, layer->output());
}

bool writes(const Node* node) {
  const auto* schema = node->maybeSchema();
  return schema != nullptr && schema->is_mutable();
}

}  // namespace

std::optional<Affine> affine_of(const Node* norm) {
  std::vector<at::Tensor> parts;
  for (std::size_t i = 1; i <= 4; ++i) {
    const auto part = constant_tensor(norm, i);
    if (!part) return std::nullopt;
    parts.push_back(part->defined() ? part->to(at::kDouble) : *part);
  }
  const auto training = constant(norm->input(5)), epsilon = constant(norm->input(7));
  if (!training || training->toBool() || !epsilon || !parts[2].defined() || !parts[3].defined()) return std::nullopt;
  auto scale = at::rsqrt(parts[3] + epsilon->toDouble());
  if (parts[0].defined()) scale = scale * parts[0];
  auto shift = -parts[2] * scale;
  if (parts[1].defined()) shift = shift + parts[1];
  return Affine{scale, shift};
}

void fold(Graph& graph, WeightCache& weights) {
  const at::NoGradGuard no_grad;
  for (auto* node : graph.nodes()) {
    if (writes(node)) return;  // then what looks like a copy, or like a constant, may not be one
  }
  for (auto* node : graph.nodes()) simplify(node);
  for (auto* node : graph.nodes()) {
    if (is(node, "aten::batch_norm")) fold_norm(node, weights);
  }
  torch::jit::EliminateDeadCode(graph.block());
}

}  // namespace ichdet::nn
