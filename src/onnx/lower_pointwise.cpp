#include <ATen/Functions.h>

#include <limits>
#include <numbers>

#include "lower.hpp"

namespace ichdet::onnx {
namespace {

template <const char* Op>
Names plain(const Call& call) {
  return {call.graph.add(Op, {call.tensor("self")})};
}

/// What an operator's second operand is: a tensor, or a number as a float32 scalar.
Name operand(const Call& call, const char* argument) {
  return call.is_tensor(argument) ? call.tensor(argument) : call.graph.constant(call.number(argument));
}

/// `other`, times alpha where there is one.
Name scaled(const Call& call, const char* argument, const char* alpha) {
  const auto x = operand(call, argument);
  if (!call.has(alpha) || call.number(alpha) == 1) return x;
  return call.graph.add("Mul", {x, call.graph.constant(call.number(alpha))});
}

Names add(const Call& call) { return {call.graph.add("Add", {operand(call, "self"), scaled(call, "other", "alpha")})}; }
Names subtract(const Call& call) {
  return {call.graph.add("Sub", {operand(call, "self"), scaled(call, "other", "alpha")})};
}
Names subtract_from(const Call& call) {
  return {call.graph.add("Sub", {operand(call, "other"), scaled(call, "self", "alpha")})};
}
Names multiply(const Call& call) { return {call.graph.add("Mul", {operand(call, "self"), operand(call, "other")})}; }
Names divide(const Call& call) {
  call.require(!call.has("rounding_mode"), "rounding_mode");
  return {call.graph.add("Div", {operand(call, "self"), operand(call, "other")})};
}
Names power(const Call& call) { return {call.graph.add("Pow", {operand(call, "self"), operand(call, "exponent")})}; }
Names smaller(const Call& call) { return {call.graph.add("Min", {call.tensor("self"), call.tensor("other")})}; }
Names larger(const Call& call) { return {call.graph.add("Max", {call.tensor("self"), call.tensor("other")})}; }

Names square(const Call& call) { return {call.graph.add("Mul", {call.tensor("self"), call.tensor("self")})}; }
Names inverse_root(const Call& call) {
  return {call.graph.add("Reciprocal", {call.graph.add("Sqrt", {call.tensor("self")})})};
}

Names leaky_relu(const Call& call) {
  return {call.graph.add("LeakyRelu", {call.tensor("self")}, {{"alpha", call.number("negative_slope")}})};
}

Names elu(const Call& call) {
  call.require(call.number("input_scale") == 1 && call.number("scale") == 1, "a scale other than 1");
  return {call.graph.add("Elu", {call.tensor("self")}, {{"alpha", call.number("alpha")}})};
}

/// A slope for each channel lies along axis 1.
Names prelu(const Call& call) {
  const auto slope = call.weight("weight");
  std::vector<std::int64_t> along(call.sizes("self").size() - 1, 1);
  along.front() = slope.numel();
  return {call.graph.add("PRelu", {call.tensor("self"), call.graph.constant(slope.reshape(along))})};
}

Names silu(const Call& call) {
  const auto x = call.tensor("self");
  return {call.graph.add("Mul", {x, call.graph.add("Sigmoid", {x})})};
}

/// clamp(x / 6 + 1 / 2, 0, 1)
Names hard_sigmoid(const Call& call) {
  return {call.graph.add("HardSigmoid", {call.tensor("self")}, {{"alpha", 1. / 6}, {"beta", 0.5}})};
}

Names gelu(const Call& call) {
  call.require(call.text("approximate") == "none", "an approximation");
  auto& graph = call.graph;
  const auto x = call.tensor("self");
  const auto erf = graph.add("Erf", {graph.add("Mul", {x, graph.constant(1 / std::numbers::sqrt2)})});
  const auto half = graph.add("Mul", {x, graph.constant(0.5)});
  return {graph.add("Mul", {half, graph.add("Add", {erf, graph.constant(1.)})})};
}

Names softplus(const Call& call) {
  call.require(call.number("beta") == 1, "beta other than 1");
  return {call.graph.add("Softplus", {call.tensor("self")})};
}

Name clipped(const Call& call, double low, double high) {
  return call.graph.add("Clip", {call.tensor("self"), call.graph.constant(low), call.graph.constant(high)});
}

Names clamp(const Call& call, const char* low, const char* high) {
  constexpr double all = std::numeric_limits<float>::max();
  return {clipped(call, call.has(low) ? call.number(low) : -all, call.has(high) ? call.number(high) : all)};
}
Names clamp_between(const Call& call) { return clamp(call, "min", "max"); }
Names hardtanh(const Call& call) { return clamp(call, "min_val", "max_val"); }
Names relu6(const Call& call) { return {clipped(call, 0, 6)}; }

template <const char* Op>
Names along_axis(const Call& call) {
  return {
      call.graph.add(Op, {call.tensor("self")}, {{"axis", call.dim("dim", std::int64_t(call.sizes("self").size()))}})};
}

constexpr char relu_op[] = "Relu", sigmoid_op[] = "Sigmoid", tanh_op[] = "Tanh", exp_op[] = "Exp", log_op[] = "Log",
               sqrt_op[] = "Sqrt", abs_op[] = "Abs", neg_op[] = "Neg", erf_op[] = "Erf", floor_op[] = "Floor",
               ceil_op[] = "Ceil", reciprocal_op[] = "Reciprocal", hard_swish_op[] = "HardSwish",
               softmax_op[] = "Softmax", log_softmax_op[] = "LogSoftmax";

}  // namespace

Table pointwise() {
  return {{"relu", plain<relu_op>},
          {"sigmoid", plain<sigmoid_op>},
          {"tanh", plain<tanh_op>},
          {"exp", plain<exp_op>},
          {"log", plain<log_op>},
          {"sqrt", plain<sqrt_op>},
          {"abs", plain<abs_op>},
          {"neg", plain<neg_op>},
          {"erf", plain<erf_op>},
          {"floor", plain<floor_op>},
          {"ceil", plain<ceil_op>},
          {"reciprocal", plain<reciprocal_op>},
          {"hardswish", plain<hard_swish_op>},
          {"softmax", along_axis<softmax_op>},
          {"log_softmax", along_axis<log_softmax_op>},
          {"add", add},
          {"sub", subtract},
          {"rsub", subtract_from},
          {"mul", multiply},
          {"div", divide},
          {"pow", power},
          {"minimum", smaller},
          {"maximum", larger},
          {"square", square},
          {"rsqrt", inverse_root},
          {"leaky_relu", leaky_relu},
          {"elu", elu},
          {"prelu", prelu},
          {"silu", silu},
          {"hardsigmoid", hard_sigmoid},
          {"gelu", gelu},
          {"softplus", softplus},
          {"clamp", clamp_between},
          {"clamp_min", clamp_between},
          {"clamp_max", clamp_between},
          {"hardtanh", hardtanh},
          {"relu6", relu6}};
}

}  // namespace ichdet::onnx
