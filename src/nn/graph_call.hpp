#pragma once

#include <ATen/core/Tensor.h>
#include <torch/csrc/jit/ir/ir.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace ichdet::nn {

/// What a lowering reads of one operator: its arguments by their names in the schema.
///
/// An argument that is absent from the overload reads like None. Throws Error(options) that names `target`, the
/// operator and its schema for an argument that is not a constant where one is needed.
class GraphCall {
 public:
  GraphCall(const torch::jit::Node& node, const char* target) : node_(node), target_(target) {}

  std::string name() const { return node_.kind().toUnqualString(); }
  bool has(const std::string& argument) const;        ///< given, and not None
  bool is_tensor(const std::string& argument) const;  ///< and no number

  std::int64_t integer(const std::string& argument) const { return given(argument).toInt(); }
  double number(const std::string& argument) const { return given(argument).toScalar().toDouble(); }
  bool flag(const std::string& argument) const { return has(argument) && given(argument).toBool(); }
  std::string text(const std::string& argument) const { return given(argument).toStringRef(); }
  std::vector<std::int64_t> integers(const std::string& argument) const { return given(argument).toIntVector(); }
  std::vector<double> numbers(const std::string& argument) const { return given(argument).toDoubleVector(); }
  /// As many as `count`, where the schema takes one for all of them; `otherwise` where there is none.
  std::vector<std::int64_t> integers(const std::string& argument, std::size_t count, std::int64_t otherwise) const;
  std::int64_t dim(const std::string& argument, std::int64_t of) const;  ///< an axis, counted from the front
  /// Of slice and narrow, along an axis of `length`: the first element that is kept, and the one after the last.
  std::pair<std::int64_t, std::int64_t> range(std::int64_t length) const;
  /// Of split, split_with_sizes, chunk and unbind, along an axis of `length`: the pieces', the last one of what is
  /// left.
  std::vector<std::int64_t> piece_lengths(std::int64_t length) const;
  at::Scalar scalar(const std::string& argument) const { return given(argument).toScalar(); }

  std::vector<std::int64_t> result_sizes(std::size_t result = 0) const;
  at::ScalarType result_type() const;  ///< of the first one

  /// Throws Error(options): `what` is what stands in the way.
  [[noreturn]] void refuse(const std::string& what = {}) const;
  void require(bool met, const std::string& what) const {
    if (!met) refuse(what);
  }

 protected:
  const torch::jit::Value* value(const std::string& argument) const;
  std::optional<c10::IValue> find(const std::string& argument) const;
  c10::IValue given(const std::string& argument) const;

 private:
  const torch::jit::Node& node_;
  const char* target_;
};

}  // namespace ichdet::nn
