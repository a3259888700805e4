#include <openvino/op/constant.hpp>

#include "graph_tools.hpp"
#include "ichdet/core/error.hpp"
#include "lower.hpp"

namespace ichdet::openvino {
ov::element::Type element_type(at::ScalarType type) {
  switch (type) {
    case at::kFloat: return ov::element::f32;
    case at::kLong: return ov::element::i64;
    case at::kInt: return ov::element::i32;
    case at::kBool: return ov::element::boolean;
    default:
      throw Error(ErrorCode::options, std::string("OpenVINO: tensors of ") + at::toString(type) + " are not mapped");
  }
}

Value constant(const at::Tensor& tensor) {
  const auto narrow = tensor.scalar_type() == at::kDouble ? tensor.to(at::kFloat) : tensor;
  const auto keep = std::make_shared<at::Tensor>(narrow.contiguous());
  const ov::Shape shape(keep->sizes().begin(), keep->sizes().end());
  return std::make_shared<ov::op::v0::Constant>(element_type(keep->scalar_type()), shape, keep->const_data_ptr(), keep);
}

Value constant(const std::vector<std::int64_t>& values) {
  return std::make_shared<ov::op::v0::Constant>(ov::element::i64, ov::Shape{values.size()}, values);
}

Value constant(double value) {
  return std::make_shared<ov::op::v0::Constant>(ov::element::f32, ov::Shape{}, float(value));
}

const torch::jit::Value* Call::value(const std::string& argument) const {
  return node_.hasNamedInput(argument) ? node_.namedInput(argument) : nullptr;
}

std::optional<c10::IValue> Call::find(const std::string& argument) const {
  const auto* found = value(argument);
  if (found == nullptr) return c10::IValue();
  return nn::constant(found);
}

c10::IValue Call::given(const std::string& argument) const {
  const auto found = find(argument);
  require(found && !found->isNone(), argument + (found ? " missing" : " not constant"));
  return *found;
}

bool Call::has(const std::string& argument) const {
  const auto found = find(argument);
  return !found || !(found->isNone() || (found->isTensor() && !found->toTensor().defined()));
}

bool Call::is_tensor(const std::string& argument) const {
  const auto* found = value(argument);
  return found != nullptr && found->type()->cast<c10::TensorType>() != nullptr;
}

Value Call::tensor(const std::string& argument) const {
  const auto* wanted = value(argument);
  if (const auto lowered = values_.find(wanted); lowered != values_.end()) return lowered->second.front();
  return constant(given(argument).toTensor());
}

Values Call::tensors(const std::string& argument) const {
  if (const auto lowered = values_.find(value(argument)); lowered != values_.end()) return lowered->second;
  Values list;
  for (const auto& tensor : given(argument).toTensorVector()) list.push_back(constant(tensor));
  return list;
}

std::vector<std::int64_t> Call::sizes(const std::string& argument) const {
  const auto shape = tensor(argument).get_shape();
  return {shape.begin(), shape.end()};
}

std::int64_t Call::dim(const std::string& argument, std::int64_t of) const {
  const auto axis = integer(argument);
  return axis < 0 ? axis + of : axis;
}

std::vector<std::int64_t> Call::integers(const std::string& argument, std::size_t count, std::int64_t otherwise) const {
  std::vector<std::int64_t> values;
  if (const auto found = find(argument); found && found->isIntList()) values = found->toIntVector();
  if (values.empty()) values = {otherwise};
  if (values.size() == 1) values.resize(count, values.front());
  require(values.size() == count, argument + " of another length");
  return values;
}

std::vector<std::int64_t> Call::result_sizes(std::size_t result) const {
  const auto sizes = nn::sizes(node_.output(result));
  require(sizes.has_value(), "a tensor of unknown shape");
  return *sizes;
}

at::ScalarType Call::result_type() const {
  const auto type = node_.output(0)->type()->expectRef<c10::TensorType>().scalarType();
  require(type.has_value(), "a result of unknown type");
  return *type;
}

void Call::refuse(const std::string& what) const {
  const auto* schema = node_.maybeSchema();
  std::string message = "OpenVINO: " + std::string(node_.kind().toQualString()) + " is not mapped";
  if (!what.empty()) message += " (" + what + ")";
  if (schema != nullptr) message += ": " + c10::str(*schema);
  throw Error(ErrorCode::options, message);
}

}  // namespace ichdet::openvino
