#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "protobuf.hpp"

namespace ichdet::onnx {

/// A tensor in the graph: its name there.
using Name = std::string;

using Attribute = std::pair<const char*, std::variant<std::int64_t, double, std::string, std::vector<std::int64_t>>>;

/// An ONNX graph being built (onnx.proto, GraphProto): nodes in the order they are computed, weights beside them.
class Graph {
 public:
  /// A node with one result.
  Name add(const char* op, const std::vector<Name>& inputs, const std::vector<Attribute>& attributes = {});
  /// A node with several.
  std::vector<Name> add(const char* op, const std::vector<Name>& inputs, const std::vector<Attribute>& attributes,
                        std::size_t results);

  /// A tensor of weights; the same one twice is kept once. Throws Error(options) for a type that is not mapped.
  Name constant(const at::Tensor& tensor);
  Name constant(const std::vector<std::int64_t>& values);
  Name constant(double value);  ///< a float32 scalar

  std::int64_t weight_bytes() const noexcept { return weight_bytes_; }

  /// The GraphProto, with one input and one output.
  Message finished(const Name& input, const std::vector<std::int64_t>& input_shape, const Name& result,
                   const Name& output, const std::vector<std::int64_t>& output_shape) &&;

 private:
  std::string nodes_, weights_;
  std::map<std::pair<const void*, std::string>, Name> known_;
  std::vector<at::Tensor> kept_;  ///< whose addresses are in `known_`
  std::int64_t count_ = 0, weight_bytes_ = 0;
};

/// TensorProto's number of a type. Throws Error(options) where there is none.
std::int64_t data_type(at::ScalarType type);

}  // namespace ichdet::onnx
