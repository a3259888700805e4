#pragma once

#include <ATen/core/Tensor.h>
#include <torch/csrc/jit/ir/ir.h>

#include <map>
#include <memory>
#include <openvino/core/model.hpp>
#include <optional>
#include <string>
#include <vector>

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

/// What a lowering sees of one operator: its arguments by their names in the schema.
///
/// An argument that is absent from the overload reads like None. Throws Error(options) that names the operator and its
/// schema for an argument that is not a constant where one is needed.
class Call {
 public:
  Call(const torch::jit::Node& node, const std::map<const torch::jit::Value*, Values>& values, bool exact)
      : node_(node), values_(values), exact_(exact) {}

  /// Whether what runs is float32.
  bool exact() const { return exact_; }

  std::string name() const { return node_.kind().toUnqualString(); }
  bool has(const std::string& argument) const;        ///< given, and not None
  bool is_tensor(const std::string& argument) const;  ///< and no number
  Value tensor(const std::string& argument) const;
  Values tensors(const std::string& argument) const;
  std::vector<std::int64_t> sizes(const std::string& argument) const;    ///< of a tensor
  std::int64_t dim(const std::string& argument, std::int64_t of) const;  ///< an axis, counted from the front

  std::int64_t integer(const std::string& argument) const { return given(argument).toInt(); }
  double number(const std::string& argument) const { return given(argument).toScalar().toDouble(); }
  bool flag(const std::string& argument) const { return has(argument) && given(argument).toBool(); }
  std::string text(const std::string& argument) const { return given(argument).toStringRef(); }
  std::vector<std::int64_t> integers(const std::string& argument) const { return given(argument).toIntVector(); }
  std::vector<double> numbers(const std::string& argument) const { return given(argument).toDoubleVector(); }
  /// As many as `count`, where the schema takes one for all of them; `otherwise` where there is none.
  std::vector<std::int64_t> integers(const std::string& argument, std::size_t count, std::int64_t otherwise) const;
  at::Scalar scalar(const std::string& argument) const { return given(argument).toScalar(); }

  std::vector<std::int64_t> result_sizes(std::size_t result = 0) const;
  at::ScalarType result_type() const;  ///< of the first one

  /// Throws Error(options): `what` is what stands in the way.
  [[noreturn]] void refuse(const std::string& what = {}) const;
  void require(bool met, const std::string& what) const {
    if (!met) refuse(what);
  }

 private:
  const torch::jit::Value* value(const std::string& argument) const;
  std::optional<c10::IValue> find(const std::string& argument) const;
  c10::IValue given(const std::string& argument) const;

  const torch::jit::Node& node_;
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
