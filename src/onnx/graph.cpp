#include "graph.hpp"

#include <c10/util/StringUtil.h>

#include "ichdet/core/error.hpp"

namespace ichdet::onnx {
namespace {

// Field numbers of onnx.proto.
namespace node {
constexpr int input = 1, output = 2, name = 3, op_type = 4, attribute = 5;
}
namespace attribute {
constexpr int name = 1, f = 2, i = 3, s = 4, ints = 8, type = 20;
constexpr std::int64_t is_float = 1, is_int = 2, is_string = 3, is_ints = 7;
}  // namespace attribute
namespace tensor {
constexpr int dims = 1, data_type = 2, name = 8, raw_data = 9;
}
namespace graph {
constexpr int node = 1, name = 2, initializer = 5, input = 11, output = 12;
}

Message attribute_message(const Attribute& given) {
  Message message;
  message.text(attribute::name, given.first);
  if (const auto* i = std::get_if<std::int64_t>(&given.second)) {
    message.integer(attribute::i, *i).integer(attribute::type, attribute::is_int);
  } else if (const auto* f = std::get_if<double>(&given.second)) {
    message.real(attribute::f, float(*f)).integer(attribute::type, attribute::is_float);
  } else if (const auto* s = std::get_if<std::string>(&given.second)) {
    message.text(attribute::s, *s).integer(attribute::type, attribute::is_string);
  } else {
    for (const auto value : std::get<std::vector<std::int64_t>>(given.second)) message.integer(attribute::ints, value);
    message.integer(attribute::type, attribute::is_ints);
  }
  return message;
}

/// ValueInfoProto of a float32 tensor.
Message value_info(const Name& name, const std::vector<std::int64_t>& shape) {
  Message dimensions, tensor_type, type, info;
  for (const auto size : shape) dimensions.message(1, Message().integer(1, size));
  tensor_type.integer(1, data_type(at::kFloat)).message(2, dimensions);
  type.message(1, tensor_type);
  return info.text(1, name).message(2, type);
}

}  // namespace

std::int64_t data_type(at::ScalarType type) {
  switch (type) {
    case at::kFloat: return 1;
    case at::kInt: return 6;
    case at::kLong: return 7;
    case at::kBool: return 9;
    default: throw Error(ErrorCode::options, std::string("ONNX: tensors of ") + at::toString(type) + " are not mapped");
  }
}

Name Graph::add(const char* op, const std::vector<Name>& inputs, const std::vector<Attribute>& attributes) {
  return add(op, inputs, attributes, 1).front();
}

std::vector<Name> Graph::add(const char* op, const std::vector<Name>& inputs, const std::vector<Attribute>& attributes,
                             std::size_t results) {
  Message message;
  for (const auto& input : inputs) message.text(node::input, input);
  std::vector<Name> names;
  for (std::size_t i = 0; i < results; ++i) {
    names.push_back(op + ("_" + std::to_string(count_++)));
    message.text(node::output, names.back());
  }
  message.text(node::name, names.front()).text(node::op_type, op);
  for (const auto& one : attributes) message.message(node::attribute, attribute_message(one));
  nodes_ += Message().message(graph::node, message).bytes();
  return names;
}

Name Graph::constant(const at::Tensor& given) {
  const auto kept = (given.scalar_type() == at::kDouble ? given.to(at::kFloat) : given).contiguous();
  auto& name = known_[{kept.const_data_ptr(), c10::str(kept.sizes(), kept.scalar_type())}];
  if (!name.empty()) return name;
  kept_.push_back(kept);
  name = "weight_" + std::to_string(count_++);
  Message message;
  for (const auto size : kept.sizes()) message.integer(tensor::dims, size);
  message.integer(tensor::data_type, data_type(kept.scalar_type())).text(tensor::name, name);
  message.text(tensor::raw_data, {static_cast<const char*>(kept.const_data_ptr()), kept.nbytes()});
  weights_ += Message().message(graph::initializer, message).bytes();
  weight_bytes_ += std::int64_t(kept.nbytes());
  return name;
}

Name Graph::constant(const std::vector<std::int64_t>& values) { return constant(at::tensor(values, at::kLong)); }

Name Graph::constant(double value) { return constant(at::scalar_tensor(value, at::kFloat)); }

Message Graph::finished(const Name& input, const std::vector<std::int64_t>& input_shape, const Name& result,
                        const Name& output, const std::vector<std::int64_t>& output_shape) && {
  Message last;
  last.text(node::input, result).text(node::output, output).text(node::name, output).text(node::op_type, "Identity");
  Message whole;
  whole.append(nodes_);
  nodes_ = {};
  whole.message(graph::node, last).text(graph::name, "ichdet").append(weights_);
  weights_ = {};
  whole.message(graph::input, value_info(input, input_shape));
  return whole.message(graph::output, value_info(output, output_shape));
}

}  // namespace ichdet::onnx
