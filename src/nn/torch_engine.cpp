#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <set>
#include <utility>

#include "activations.hpp"
#include "affine.hpp"
#include "engine.hpp"
#include "graph_tools.hpp"
#include "layout.hpp"
#include "norm.hpp"
#include "onednn.hpp"
#include "plan.hpp"
#include "split_depth.hpp"
#include "torch_operators.hpp"
#include "weight_cache.hpp"

namespace ichdet::nn {
namespace {

using torch::jit::Node;
using torch::jit::Stack;
using torch::jit::Value;

/// A layer, and what follows it and nothing else, that one step does: `layer`, then + `addend`, then the activation.
struct Fusion {
  const Node* layer = nullptr;
  const Value* addend = nullptr;
  std::optional<Activation> activation;
};

/// Nobody else sees the memory of the tensor in `value`, and it is dense.
bool is_ours(const at::Tensor& x) {
  return x.use_count() == 1 && x.storage().use_count() == 1 && x.is_non_overlapping_and_dense();
}

/// From the graph to the steps of a plan.
class Lowering {
 public:
  Lowering(const torch::jit::Graph& graph, const CompileOptions& options, WeightCache& weights)
      : graph_(graph),
        weights_(weights),
        device_(options.device),
        type_(options.precision == Precision::bfloat16 ? at::kBFloat16 : at::kFloat) {
    const auto input = sizes(graph.inputs().front());
    const bool empty = !input || std::find(input->begin(), input->end(), 0) != input->end();
    for (const auto* node : graph.nodes()) {
      const auto* schema = node->maybeSchema();
      plain_ = plain_ || (schema != nullptr && schema->is_mutable());
    }
    plain_ = plain_ || empty;
    if (plain_) type_ = at::kFloat;
    fuse_ = !plain_ && options.fuse && device_.is_cpu() && onednn_has(type_);
  }

  Compiled compiled();

 private:
  std::size_t slot(const Value* value) { return slots_.emplace(value, slots_.size()).first->second; }
  at::ScalarType type_of(const Value* value) const;
  bool fusable(const Node* layer) const;
  bool takes(const Fusion& fusion, const Activation& activation) const;
  void find_fusions();
  void add_step(Step step, const std::vector<const Value*>& inputs, std::size_t first_position, const Value* result);
  void add_fused(const Fusion& fusion, const Value* result);
  void add_norm(const Fusion& fusion, const Value* result);
  void add_plain(const Node* node);
  at::Tensor moved(const at::Tensor& weight, bool narrowed);
  Pack packing(const at::Tensor& weight, const Convolution* convolution);
  std::optional<at::ScalarType> input_type() const;
  std::int64_t peak_bytes() const;

  const torch::jit::Graph& graph_;
  WeightCache& weights_;
  at::Device device_;
  at::ScalarType type_;
  bool plain_ = false;  ///< as traced, for graphs that write to their tensors and for inputs of no elements
  bool fuse_ = false;
  std::map<const Value*, std::size_t> slots_;
  std::map<const Value*, Fusion> fusions_;  ///< by the value that comes out
  std::set<const Node*> inside_;            ///< nodes that a fusion does
  std::map<const Value*, at::ScalarType> types_;
  Plan plan_;
  std::size_t fused_ = 0, others_ = 0;
};

at::ScalarType Lowering::type_of(const Value* value) const {
  const auto found = types_.find(value);
  if (found != types_.end()) return found->second;
  const auto type = value->type()->cast<c10::TensorType>();
  return type && type->scalarType() ? *type->scalarType() : at::kFloat;
}

bool Lowering::fusable(const Node* layer) const {
  if (!fuse_ || layer->inputs().empty()) return false;
  const auto is_constant = [&](std::size_t i) { return constant(layer->input(i)).has_value(); };
  const auto input = sizes(layer->input(0));
  if (!input) return false;
  if (is(layer, "aten::_convolution")) {
    if (has_wide_gaps(layer)) return false;
    if (input->size() != 4 && input->size() != 5) return false;
    for (std::size_t i = 1; i <= 8; ++i) {
      if (!is_constant(i)) return false;
    }
    return has(constant(layer->input(6))->toBool() ? Fused::transposed_convolution : Fused::convolution);
  }
  if (is(layer, "aten::linear")) return is_constant(1) && is_constant(2) && has(Fused::linear);
  const bool image = input->size() == 4 || input->size() == 5;
  if (is(layer, "aten::instance_norm")) {
    return image && is_constant(1) && is_constant(2) && is_constant(5) && is_constant(7) &&
           constant(layer->input(5))->toBool();
  }
  return image && is(layer, "aten::batch_norm") && affine_of(layer);
}

bool Lowering::takes(const Fusion& fusion, const Activation& activation) const {
  if (fusion.activation) return false;
  if (is(fusion.layer, "aten::_convolution") || is(fusion.layer, "aten::linear")) {
    return fusion.addend == nullptr || activation.name == "relu";
  }
  return activation.name == "relu" || activation.name == "leaky_relu";
}

void Lowering::find_fusions() {
  const auto extend = [&](const Value* from, const Value* to) -> Fusion& {
    auto fusion = fusions_.at(from);
    fusions_.erase(from);
    inside_.insert(from->node());
    return fusions_[to] = fusion;
  };
  const auto open = [&](const Value* value) {
    const auto found = fusions_.find(value);
    return found != fusions_.end() && has_one_reader(value) ? &found->second : nullptr;
  };
  for (const auto* node : graph_.nodes()) {
    if (node->outputs().size() != 1) continue;
    if (fusable(node)) {
      fusions_[node->output()] = {node, nullptr, std::nullopt};
    } else if (const auto activation = activation_of(node)) {
      if (const auto* fusion = open(node->input(0)); fusion != nullptr && takes(*fusion, *activation)) {
        extend(node->input(0), node->output()).activation = activation;
      }
    } else if (is(node, "aten::add") && node->inputs().size() == 3 && has(Fused::convolution_and_sum)) {
      const auto alpha = constant(node->input(2));
      for (const std::size_t i : {1, 0}) {
        const auto *sum = node->input(i), *other = node->input(1 - i);
        const auto* fusion = open(sum);
        if (fusion == nullptr || sum == other || fusion->addend != nullptr || fusion->activation) continue;
        if (!is(fusion->layer, "aten::_convolution") || constant(fusion->layer->input(6))->toBool()) continue;
        if (!alpha || !alpha->isInt() || alpha->toInt() != 1 || !sizes(sum) || sizes(sum) != sizes(other)) continue;
        if (splits_depth(convolution_of(fusion->layer), type_)) continue;
        extend(sum, node->output()).addend = other;
        break;
      }
    }
  }
}

void Lowering::add_step(Step step, const std::vector<const Value*>& inputs, std::size_t first_position,
                        const Value* result) {
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    step.constants.resize(std::max(step.constants.size(), first_position + i + 1));
    if (auto value = constant(inputs[i])) {
      step.constants[first_position + i] = *value;
    } else {
      step.arguments.push_back({first_position + i, slot(inputs[i]), false});
    }
  }
  step.results = {slot(result)};
  plan_.steps.push_back(std::move(step));
}

/// A weight on the device, and in the type of multiplication where `narrowed`.
at::Tensor Lowering::moved(const at::Tensor& weight, bool narrowed) {
  const auto type = narrowed && weight.defined() && weight.is_floating_point() ? type_ : at::kFloat;
  if (!weight.defined() || (weight.device() == device_ && (!narrowed || weight.scalar_type() == type))) return weight;
  return weights_.derive(c10::str("moved to ", device_, narrowed ? c10::toString(type) : ""), {weight},
                         [&] { return narrowed ? weight.to(device_, type) : weight.to(device_); });
}

Pack Lowering::packing(const at::Tensor& weight, const Convolution* c) {
  return [this, weight, c](const std::string& what, const std::function<at::Tensor()>& make) {
    const auto name =
        c == nullptr ? what
                     : c10::str(what, c->transposed, c->stride, c->padding, c->dilation, c->output_padding, c->groups);
    return weights_.derive(c10::str(name, type_), {weight}, make);
  };
}

void Lowering::add_fused(const Fusion& fusion, const Value* result) {
  const auto* layer = fusion.layer;
  const auto activation = fusion.activation.value_or(Activation{});
  const auto source = *constant_tensor(layer, 1);
  const auto weight = source.to(type_);
  const auto bias = constant_tensor(layer, 2)->defined() ? constant_tensor(layer, 2)->to(at::kFloat) : at::Tensor();
  const auto input_size = *sizes(layer->input(0));
  std::vector<const Value*> inputs{layer->input(0)};
  if (fusion.addend != nullptr) inputs.push_back(fusion.addend);

  Step step;
  if (is(layer, "aten::linear")) {
    const auto rows = std::accumulate(input_size.begin(), input_size.end() - 1, std::int64_t(1), std::multiplies<>());
    const auto op = fused_linear(weight, bias, rows, activation, packing(source, nullptr));
    step.body = [op, type = type_](Stack& stack) { stack[0] = op(stack[0].toTensor().to(type).contiguous()); };
  } else {
    auto c = convolution_of(layer);
    c.weight = weight;
    c.bias = bias;
    const bool split = splits_depth(c, type_);
    const auto depth = split ? SplitDepth(c, input_size) : SplitDepth();
    if (split) c = depth.inner(c);
    const auto op = fused_convolution(c, split ? depth.inner_size(input_size) : input_size, fusion.addend != nullptr,
                                      activation, packing(source, &c));
    step.body = [op, type = type_, split, depth](Stack& stack) {
      const auto x = to_channels_last(std::move(stack[0]).toTensor(), type);
      if (split) {
        stack[0] = depth.join(op(depth.split(x)));
      } else {
        stack[0] = stack.size() == 1 ? op(x) : op(x, to_channels_last(std::move(stack[1]).toTensor(), type));
      }
    };
  }
  types_[result] = type_;
  ++fused_;
  add_step(std::move(step), inputs, 0, result);
}

void Lowering::add_norm(const Fusion& fusion, const Value* result) {
  const auto* layer = fusion.layer;
  const float slope = !fusion.activation                  ? 1
                      : fusion.activation->name == "relu" ? 0
                                                          : float(fusion.activation->scalars.front());
  Step step;
  if (is(layer, "aten::instance_norm")) {
    const auto at_least_float = [&](std::size_t i) {
      const auto tensor = *constant_tensor(layer, i);
      return tensor.defined() ? tensor.to(at::kFloat).contiguous() : tensor;
    };
    const auto weight = at_least_float(1), bias = at_least_float(2);
    const double epsilon = constant(layer->input(7))->toDouble();
    step.body = [=](Stack& stack) {
      const auto given = std::move(stack[0]).toTensor();
      const bool ours = is_ours(given) && is_channels_last(given);
      stack[0] = instance_norm(to_channels_last(given, given.scalar_type()), weight, bias, epsilon, slope, ours);
    };
  } else {
    const auto affine = *affine_of(layer);
    step.body = [=, scale = affine.scale.to(at::kFloat), shift = affine.shift.to(at::kFloat)](Stack& stack) {
      const auto given = std::move(stack[0]).toTensor();
      const bool ours = is_ours(given) && is_channels_last(given);
      stack[0] = scale_shift(to_channels_last(given, given.scalar_type()), scale, shift, slope, ours);
    };
  }
  types_[result] = type_of(layer->input(0));
  ++fused_;
  add_step(std::move(step), {layer->input(0)}, 0, result);
}

void Lowering::add_plain(const Node* node) {
  Step step;
  const bool gaps = !plain_ && device_.is_cpu() && has_wide_gaps(node);
  const bool narrowed = !plain_ && !gaps && multiplies(node) && type_ != at::kFloat;
  step.constants.resize(node->inputs().size());
  for (std::size_t i = 0; i < node->inputs().size(); ++i) {
    const auto* input = node->input(i);
    auto value = torch::jit::toIValue(input);
    if (value && value->isTensor()) value = moved(value->toTensor(), narrowed);
    if (value) {
      step.constants[i] = *value;
    } else {
      step.arguments.push_back({i, slot(input), false});
    }
  }
  for (const auto* output : node->outputs()) step.results.push_back(slot(output));

  const auto body = operation_of(node);
  const auto in_place = plain_ ? std::nullopt : overwriting(node);
  const auto shape = node->outputs().size() == 1 ? sizes(node->output()) : std::nullopt;
  if (!plain_ && (is(node, "aten::view") || is(node, "aten::_unsafe_view"))) {
    step.body = [](Stack& stack) {
      stack[0] = stack[0].toTensor().reshape(stack[1].toIntVector());
      stack.resize(1);
    };
  } else if (gaps) {
    step.body = [body](Stack& stack) {
      stack[0] = stack[0].toTensor().to(at::kFloat).contiguous();
      body(stack);
    };
  } else if (!plain_ && is(node, "aten::as_strided")) {
    step.body = [body](Stack& stack) {
      stack[0] = stack[0].toTensor().contiguous();
      body(stack);
    };
  } else if (in_place && shape) {
    step.body = [body, op = *in_place, shape = *shape](Stack& stack) {
      const auto& x = stack[0].toTensor();
      const bool same_type = x.is_floating_point() && (stack.size() < 2 || !stack[1].isTensor() ||
                                                       at::result_type(x, stack[1].toTensor()) == x.scalar_type());
      if (same_type && x.sizes() == shape && is_ours(x)) {
        op.callBoxed(stack);
      } else {
        body(stack);
      }
    };
  } else if (narrowed) {
    step.body = [body, type = type_](Stack& stack) {
      for (auto& value : stack) {
        if (value.isTensor() && value.toTensor().is_floating_point()) value = value.toTensor().to(type);
      }
      body(stack);
    };
  } else if (type_ != at::kFloat && !takes_both_types(node)) {
    step.body = [body](Stack& stack) {
      widen_mixed(stack);
      body(stack);
    };
  } else {
    step.body = body;
  }
  for (const auto* output : node->outputs()) {
    if (narrowed || gaps) {
      types_[output] = gaps ? at::kFloat : type_;
    } else if (!node->inputs().empty() && type_of(output) == at::kFloat) {
      types_[output] = type_of(node->input(0));
    }
  }
  others_ += node->kind() != torch::jit::prim::ListConstruct && node->kind() != torch::jit::prim::ListUnpack;
  plan_.steps.push_back(std::move(step));
}

/// The type that the input is turned into at once: the multiplications', where a layer reads it.
std::optional<at::ScalarType> Lowering::input_type() const {
  const auto* input = graph_.inputs().front();
  const bool multiplied = std::any_of(input->uses().begin(), input->uses().end(),
                                      [](const auto& use) { return use.offset == 0 && multiplies(use.user); });
  return multiplied && !plain_ && type_of(input) == at::kFloat ? std::optional(type_) : std::nullopt;
}

/// The most bytes that tensors hold at once, by the traced shapes; results that may share memory with an argument count
/// as the argument.
std::int64_t Lowering::peak_bytes() const {
  std::map<std::size_t, std::int64_t> held;
  std::vector<const Value*> values(slots_.size());
  for (const auto& [value, number] : slots_) values[number] = value;
  const auto bytes = [&](std::size_t number) -> std::int64_t {
    const auto* value = values[number];
    const auto size = sizes(value);
    if (number == plan_.input || number == plan_.output || !size) return 0;
    const auto* schema = value->node()->maybeSchema();
    if (!fusions_.contains(value) && schema != nullptr && !schema->returns().empty() &&
        schema->returns()[0].alias_info())
      return 0;
    return std::accumulate(size->begin(), size->end(), std::int64_t(c10::elementSize(type_of(value))),
                           std::multiplies<>());
  };
  std::int64_t now = 0, peak = 0;
  for (const auto& step : plan_.steps) {
    for (const auto result : step.results) now += held[result] = bytes(result);
    peak = std::max(peak, now);
    for (const auto& argument : step.arguments) {
      if (argument.last) now -= std::exchange(held[argument.slot], 0);
    }
  }
  return peak;
}

Compiled Lowering::compiled() {
  const auto *input = graph_.inputs().front(), *output = graph_.outputs().front();
  plan_.input = slot(input);
  find_fusions();
  for (const auto* node : graph_.nodes()) {
    if (inside_.contains(node) || node->kind() == torch::jit::prim::Constant) continue;
    const auto fusion = node->outputs().size() == 1 ? fusions_.find(node->output()) : fusions_.end();
    if (fusion == fusions_.end()) {
      add_plain(node);
    } else if (is(fusion->second.layer, "aten::_convolution") || is(fusion->second.layer, "aten::linear")) {
      add_fused(fusion->second, node->output());
    } else {
      add_norm(fusion->second, node->output());
    }
  }
  plan_.output = slot(output);
  plan_.slots = slots_.size();
  plan_.mark_last();

  Compiled made;
  made.form = c10::str("traced graph: ", fused_, " fused, ", others_, " plain");
  made.activation_bytes = peak_bytes();
  made.run = [plan = std::move(plan_), device = device_, plain = plain_, type = input_type()](const at::Tensor& x) {
    const c10::InferenceMode off(false);  // whose tensors could not be written to outside it
    const at::NoGradGuard no_grad;
    const auto given = plain ? x.to(device) : to_channels_last(x.to(device), type ? *type : x.scalar_type());
    const auto result = plan.run(given);
    if (!result.is_floating_point()) return result.is_alias_of(x) ? result.clone() : result.cpu();
    const bool ours = result.use_count() == 1 && result.storage().use_count() == 1;
    const auto out = to_plain(result.cpu());
    return !ours && out.is_alias_of(result) ? out.clone() : out;
  };
  return made;
}

}  // namespace

Compiled compile_torch(const std::shared_ptr<torch::jit::Graph>& graph, const CompileOptions& options,
                       WeightCache& weights) {
  const at::NoGradGuard no_grad;
  return Lowering(*graph, options, weights).compiled();
}

}  // namespace ichdet::nn
