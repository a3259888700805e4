#pragma once

#include <ATen/core/Tensor.h>
#include <torch/csrc/jit/ir/ir.h>

#include <map>
#include <string>
#include <vector>

#include "../nn/graph_call.hpp"
#include "graph.hpp"

// From LibTorch's graph to ONNX's.
namespace ichdet::onnx {

/// What one value of the traced graph became: one tensor, or the tensors of a list.
using Names = std::vector<Name>;

/// What a lowering sees of one operator, and the graph that it adds to.
class Call : public nn::GraphCall {
 public:
  Call(const torch::jit::Node& node, const std::map<const torch::jit::Value*, Names>& values, Graph& to)
      : GraphCall(node, "ONNX"), graph(to), values_(values) {}

  Name tensor(const std::string& argument) const;
  Names tensors(const std::string& argument) const;
  std::vector<std::int64_t> sizes(const std::string& argument) const;  ///< of a tensor
  at::Tensor weight(const std::string& argument) const;                ///< that is a constant
  std::vector<at::Tensor> weights(const std::string& argument) const;  ///< a list of them

  Graph& graph;

 private:
  const std::map<const torch::jit::Value*, Names>& values_;
};

using Lowering = Names (*)(const Call& call);
/// Operators, without `aten::`, and what lowers them.
using Table = std::map<std::string, Lowering>;

Table layers();     ///< convolutions, norms, products, recurrences
Table pointwise();  ///< activations and arithmetic
Table samplings();  ///< pools, reductions, resizing, padding
Table shapes();

/// The same before and after each axis, as ONNX lists pads.
inline std::vector<std::int64_t> twice(std::vector<std::int64_t> values) {
  values.insert(values.end(), values.begin(), values.end());
  return values;
}

/// Reshape to known sizes.
Name reshaped(Graph& graph, const Name& x, const std::vector<std::int64_t>& sizes);

}  // namespace ichdet::onnx
