#include <ATen/Functions.h>

#include <limits>
#include <openvino/op/ops.hpp>

#include "lower.hpp"

namespace ichdet::openvino {
namespace {

namespace op = ov::op;

template <class Op>
Values plain(const Call& call) {
  return {std::make_shared<Op>(call.tensor("self"))};
}

Value times(const Value& x, double factor) {
  return factor == 1 ? x : Value(std::make_shared<op::v1::Multiply>(x, constant(factor)));
}

Values clamp(const Call& call, const char* low, const char* high) {
  const auto bound = [&](const char* argument, double otherwise) {
    return call.has(argument) ? call.number(argument) : otherwise;
  };
  constexpr double all = std::numeric_limits<float>::max();
  return {std::make_shared<op::v0::Clamp>(call.tensor("self"), bound(low, -all), bound(high, all))};
}

Values hardtanh(const Call& call) { return clamp(call, "min_val", "max_val"); }
Values clamp_between(const Call& call) { return clamp(call, "min", "max"); }
Values relu6(const Call& call) { return {std::make_shared<op::v0::Clamp>(call.tensor("self"), 0., 6.)}; }

Values leaky_relu(const Call& call) {
  const auto slope = constant(at::full({1}, call.number("negative_slope")));
  return {std::make_shared<op::v0::PRelu>(call.tensor("self"), slope)};
}

Values prelu(const Call& call) { return {std::make_shared<op::v0::PRelu>(call.tensor("self"), call.tensor("weight"))}; }

Values elu(const Call& call) {
  call.require(call.number("input_scale") == 1, "input_scale other than 1");
  call.require(call.number("scale") == 1, "scale other than 1");
  return {std::make_shared<op::v0::Elu>(call.tensor("self"), call.number("alpha"))};
}

Values selu(const Call& call) {
  return {std::make_shared<op::v0::Selu>(call.tensor("self"), constant(at::full({1}, 1.6732632423543772)),
                                         constant(at::full({1}, 1.0507009873554805)))};
}

Values gelu(const Call& call) {
  const bool erf = call.text("approximate") == "none";
  return {std::make_shared<op::v7::Gelu>(call.tensor("self"),
                                         erf ? op::GeluApproximationMode::ERF : op::GeluApproximationMode::TANH)};
}

Values softplus(const Call& call) {
  const auto beta = call.number("beta");
  return {times(std::make_shared<op::v4::SoftPlus>(times(call.tensor("self"), beta)), 1 / beta)};
}

template <class Op>
Values along_axis(const Call& call) {
  const auto rank = std::int64_t(call.sizes("self").size());
  return {std::make_shared<Op>(call.tensor("self"), call.dim("dim", rank))};
}

Values glu(const Call& call) {
  const auto axis = call.dim("dim", std::int64_t(call.sizes("self").size()));
  const auto index = std::make_shared<op::v0::Constant>(ov::element::i64, ov::Shape{}, axis);
  const auto halves = std::make_shared<op::v1::Split>(call.tensor("self"), index, 2);
  return {std::make_shared<op::v1::Multiply>(halves->output(0), std::make_shared<op::v0::Sigmoid>(halves->output(1)))};
}

}  // namespace

Table activations() {
  return {{"relu", plain<op::v0::Relu>},
          {"sigmoid", plain<op::v0::Sigmoid>},
          {"tanh", plain<op::v0::Tanh>},
          {"silu", plain<op::v4::Swish>},
          {"mish", plain<op::v4::Mish>},
          {"hardswish", plain<op::v4::HSwish>},
          {"hardsigmoid", plain<op::v5::HSigmoid>},
          {"relu6", relu6},
          {"hardtanh", hardtanh},
          {"clamp", clamp_between},
          {"clamp_min", clamp_between},
          {"clamp_max", clamp_between},
          {"leaky_relu", leaky_relu},
          {"prelu", prelu},
          {"elu", elu},
          {"selu", selu},
          {"gelu", gelu},
          {"softplus", softplus},
          {"softmax", along_axis<op::v8::Softmax>},
          {"log_softmax", along_axis<op::v5::LogSoftmax>},
          {"glu", glu}};
}

}  // namespace ichdet::openvino
