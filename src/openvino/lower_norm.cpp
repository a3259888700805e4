#include <ATen/Functions.h>

#include <numeric>
#include <openvino/op/add.hpp>
#include <openvino/op/batch_norm.hpp>
#include <openvino/op/group_normalization.hpp>
#include <openvino/op/multiply.hpp>
#include <openvino/op/mvn.hpp>
#include <openvino/op/reshape.hpp>

#include "lower.hpp"

namespace ichdet::openvino {
namespace {

namespace op = ov::op;

/// The argument, or where it is None a vector of one number.
Value or_filled(const Call& call, const std::string& argument, std::int64_t length, double value) {
  return call.has(argument) ? call.tensor(argument) : constant(at::full({length}, value));
}

Value normalized(const Call& call, std::int64_t first_axis) {
  const auto x = call.tensor("input");
  std::vector<std::int64_t> axes(std::size_t(std::int64_t(x.get_shape().size()) - first_axis));
  std::iota(axes.begin(), axes.end(), first_axis);
  return std::make_shared<op::v6::MVN>(x, constant(axes), true, float(call.number("eps")), op::MVNEpsMode::INSIDE_SQRT);
}

/// y · weight + bias, where there are any, after giving them this shape (empty: as they are).
Value scaled(const Call& call, Value y, const std::vector<std::int64_t>& shape) {
  const auto shaped = [&](const std::string& argument) -> Value {
    if (shape.empty()) return call.tensor(argument);
    return std::make_shared<op::v1::Reshape>(call.tensor(argument), constant(shape), false);
  };
  if (call.has("weight")) y = std::make_shared<op::v1::Multiply>(y, shaped("weight"));
  if (call.has("bias")) y = std::make_shared<op::v1::Add>(y, shaped("bias"));
  return y;
}

Values with_running_statistics(const Call& call) {
  const auto channels = call.sizes("input").at(1);
  call.require(call.has("running_mean") && call.has("running_var"), "no running statistics");
  return {std::make_shared<op::v5::BatchNormInference>(
      call.tensor("input"), or_filled(call, "weight", channels, 1), or_filled(call, "bias", channels, 0),
      call.tensor("running_mean"), call.tensor("running_var"), call.number("eps"))};
}

Values batch_norm(const Call& call) {
  call.require(!call.flag("training"), "in training");
  return with_running_statistics(call);
}

Values instance_norm(const Call& call) {
  if (!call.flag("use_input_stats")) return with_running_statistics(call);
  std::vector<std::int64_t> per_channel(call.sizes("input").size(), 1);
  per_channel.at(1) = -1;
  return {scaled(call, normalized(call, 2), per_channel)};
}

Values layer_norm(const Call& call) {
  const auto inner = call.integers("normalized_shape").size();
  return {scaled(call, normalized(call, std::int64_t(call.sizes("input").size() - inner)), {})};
}

Values group_norm(const Call& call) {
  const auto channels = call.sizes("input").at(1);
  return {std::make_shared<op::v12::GroupNormalization>(call.tensor("input"), or_filled(call, "weight", channels, 1),
                                                        or_filled(call, "bias", channels, 0),
                                                        call.integer("num_groups"), call.number("eps"))};
}

}  // namespace

Table norms() {
  return {{"batch_norm", batch_norm},
          {"instance_norm", instance_norm},
          {"layer_norm", layer_norm},
          {"group_norm", group_norm}};
}

}  // namespace ichdet::openvino
