#pragma once

#include <torch/csrc/jit/ir/ir.h>

#include <initializer_list>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace ichdet::nn {

class WeightCache;

/// The gradients of a graph's values, node by node from its end, as nodes behind it.
class Derivatives {
 public:
  using Value = torch::jit::Value;
  using Node = torch::jit::Node;
  using Sizes = std::vector<std::int64_t>;

  /// `varying`: what depends on the graph's input; nothing else gets a gradient. The insert point is the graph's end.
  Derivatives(torch::jit::Graph& graph, WeightCache& weights, std::set<const Value*> varying)
      : graph_(graph), weights_(weights), varying_(std::move(varying)) {}

  /// What a reader of `value` says that its gradient is; readers' gradients are summed.
  void add(const Value* value, Value* gradient);
  Value* of(const Value* value) const;

  /// From the gradient of the node's result to those of its inputs. Throws Error(options) for an operator without a
  /// rule.
  void pass(Node* node);

 private:
  using Rule = void (Derivatives::*)(Node*, Value*);
  static const std::map<std::string, Rule>& rules();

  Value* emit(const char* kind, std::vector<Value*> inputs, const Sizes& size);
  Value* number(c10::IValue value);
  Value* reshaped(Value* gradient, const Sizes& size);
  /// Summed over the axes along which `size` was spread.
  Value* shrunk(Value* gradient, const Sizes& size);
  /// Spread over axes of one.
  Value* spread(Value* gradient, const Sizes& size);
  bool varies(const Value* value) const { return varying_.contains(value); }

  // derivatives_layers.cpp
  Value* cropped(Value* gradient, Sizes& padding);
  void convolution(Node* node, Value* gradient);
  void linear(Node* node, Value* gradient);
  void batch_norm(Node* node, Value* gradient);
  void instance_norm(Node* node, Value* gradient);
  void max_pool(Node* node, Value* gradient);
  void average_pool(Node* node, Value* gradient);
  void adaptive_average_pool(Node* node, Value* gradient);
  void upsampling(Node* node, Value* gradient);

  // derivatives_elements.cpp
  void by_result(Node* node, Value* gradient);
  void by_input(Node* node, Value* gradient);
  void relu(Node* node, Value* gradient);
  void leaky_relu(Node* node, Value* gradient);
  void hardtanh(Node* node, Value* gradient);
  void softmax(Node* node, Value* gradient);
  void sum_of_two(Node* node, Value* gradient);
  void product(Node* node, Value* gradient);
  void quotient(Node* node, Value* gradient);
  void mean(Node* node, Value* gradient);
  void sum(Node* node, Value* gradient);
  void cat(Node* node, Value* gradient);
  void shape(Node* node, Value* gradient);
  void expand(Node* node, Value* gradient);
  void permute(Node* node, Value* gradient);
  void slice(Node* node, Value* gradient);
  void select(Node* node, Value* gradient);
  void padding(Node* node, Value* gradient);

  torch::jit::Graph& graph_;
  WeightCache& weights_;
  std::set<const Value*> varying_;
  std::map<const Value*, Value*> gradients_;
};

}  // namespace ichdet::nn
