#include <ATen/Functions.h>

#include <functional>
#include <numeric>
#include <openvino/op/add.hpp>
#include <openvino/op/batch_norm.hpp>
#include <openvino/op/divide.hpp>
#include <openvino/op/group_normalization.hpp>
#include <openvino/op/multiply.hpp>
#include <openvino/op/mvn.hpp>
#include <openvino/op/reduce_mean.hpp>
#include <openvino/op/reduce_sum.hpp>
#include <openvino/op/reshape.hpp>
#include <openvino/op/sqrt.hpp>
#include <openvino/op/subtract.hpp>

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

/// As `normalized` for instance norm, in float32. MVN's sums lose digits over many values: 2e-5 of a normalised value
/// over 160 x 160 x 32, 3e-4 of the output of a network of 33 norms. Here rows are added up first, then averaged: two
/// kinds of reduction, since two of one kind are merged into one by OpenVINO, which loses as much.
Value normalized_by_rows(const Call& call) {
  const auto x = call.tensor("input");
  const auto last = std::int64_t(x.get_shape().size()) - 1;
  std::vector<std::int64_t> others(std::size_t(last - 2));
  std::iota(others.begin(), others.end(), 2);
  const auto share = constant(1 / double(x.get_shape().back()));
  const auto mean = [&](const Value& values) -> Value {
    const auto rows = std::make_shared<op::v1::ReduceSum>(values, constant(std::vector<std::int64_t>{last}), true);
    const auto summed = std::make_shared<op::v1::ReduceMean>(rows, constant(others), true);
    return std::make_shared<op::v1::Multiply>(summed, share);
  };
  const auto centred = std::make_shared<op::v1::Subtract>(x, mean(x));
  const auto variance = mean(std::make_shared<op::v1::Multiply>(centred, centred));
  const auto spread =
      std::make_shared<op::v0::Sqrt>(std::make_shared<op::v1::Add>(variance, constant(call.number("eps"))));
  return std::make_shared<op::v1::Divide>(centred, spread);
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
  constexpr std::int64_t many = 1 << 14;
  const auto sizes = call.sizes("input");
  const auto values = std::accumulate(sizes.begin() + 2, sizes.end(), std::int64_t(1), std::multiplies<>());
  const bool by_rows = call.exact() && values >= many && sizes.size() > 3;
  return {scaled(call, by_rows ? normalized_by_rows(call) : normalized(call, 2), per_channel)};
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
