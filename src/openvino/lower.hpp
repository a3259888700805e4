#pragma once

#include <ATen/core/Tensor.h>
#include <torch/csrc/jit/ir/ir.h>

#include <map>
#include <memory>
#include <openvino/core/model.hpp>
#include <string>
#include <vector>

#include "graph_call.hpp"

// From LibTorch's graph to OpenVINO's.
namespace ichdet::openvino {

using Value = ov::Output<ov::Node>;
/// What one value of the traced graph became: one tensor, or the tensors of a list.
using Values = ov::OutputVector;

/// A constant that shares the tensor's memory.
Value constant(const at::Tensor& tensor);
Value constant(const std::vector<std::int64_t>& values);
/// A float32 scalar.
Value constant(double value);

/// What a lowering sees of one operator.
class Call : public nn::GraphCall {
 public:
  Call(const torch::jit::Node& node, const std::map<const torch::jit::Value*, Values>& values, bool exact)
      : GraphCall(node, "OpenVINO"), values_(values), exact_(exact) {}

  /// Whether what runs is float32.
  bool exact() const { return exact_; }

  Value tensor(const std::string& argument) const;
  Values tensors(const std::string& argument) const;
  std::vector<std::int64_t> sizes(const std::string& argument) const;  ///< of a tensor

 private:
  const std::map<const torch::jit::Value*, Values>& values_;
  bool exact_;
};

using Lowering = Values (*)(const Call& call);
/// Operators, without `aten::`, and what lowers them.
using Table = std::map<std::string, Lowering>;

Table convolutions();
Table norms();
Table activations();
Table poolings();
Table resizings();
Table shapes();
Table arithmetic();
Table products();
Table recurrences();

/// The number format of OpenVINO that is the same.
ov::element::Type element_type(at::ScalarType type);

/// The whole graph, with one input and one output, to run in float32 (`exact`) or bfloat16. Throws Error(options) that
/// names the operator that cannot be mapped.
std::shared_ptr<ov::Model> lower(const torch::jit::Graph& graph, bool exact);

}  // namespace ichdet::openvino
