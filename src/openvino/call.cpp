#include <openvino/op/constant.hpp>

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

}  // namespace ichdet::openvino
