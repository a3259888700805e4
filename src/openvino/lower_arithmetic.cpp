#include <openvino/op/ops.hpp>

#include <cmath>
#include <numeric>

#include "lower.hpp"

namespace ichdet::openvino {
namespace {

namespace op = ov::op;

template <class Op>
Values unary(const Call& call) {
  return {std::make_shared<Op>(call.tensor("self"))};
}

Value as(const Value& x, ov::element::Type type) {
  if (x.get_element_type() == type) return x;
  return std::make_shared<op::v0::Convert>(x, type);
}

/// A tensor or a number, in the type of the result.
Value operand(const Call& call, const std::string& argument) {
  const auto type = element_type(call.result_type());
  if (call.is_tensor(argument)) return as(call.tensor(argument), type);
  const auto number = call.scalar(argument);
  if (number.isFloatingPoint()) return as(constant(number.toDouble()), type);
  return std::make_shared<op::v0::Constant>(type, ov::Shape{}, number.toLong());
}

Value scaled(const Call& call, const Value& x) {
  const auto alpha = call.has("alpha") ? call.number("alpha") : 1;
  if (alpha == 1) return x;
  return std::make_shared<op::v1::Multiply>(x, as(constant(alpha), x.get_element_type()));
}

Values add(const Call& call) {
  return {std::make_shared<op::v1::Add>(operand(call, "self"), scaled(call, operand(call, "other")))};
}

Values subtract(const Call& call) {
  return {std::make_shared<op::v1::Subtract>(operand(call, "self"), scaled(call, operand(call, "other")))};
}

Values subtract_from(const Call& call) {
  return {std::make_shared<op::v1::Subtract>(operand(call, "other"), scaled(call, operand(call, "self")))};
}

template <class Op>
Values binary(const Call& call) {
  return {std::make_shared<Op>(operand(call, "self"), operand(call, "other"))};
}

Values divide(const Call& call) {
  call.require(!call.has("rounding_mode"), "rounding_mode");
  return binary<op::v1::Divide>(call);
}

Values power(const Call& call) {
  return {std::make_shared<op::v1::Power>(operand(call, "self"), operand(call, "exponent"))};
}

Values square(const Call& call) {
  return {std::make_shared<op::v1::Multiply>(call.tensor("self"), call.tensor("self"))};
}

Values reciprocal(const Call& call) { return {std::make_shared<op::v1::Divide>(constant(1.), call.tensor("self"))}; }

Values rsqrt(const Call& call) {
  return {std::make_shared<op::v1::Divide>(constant(1.), std::make_shared<op::v0::Sqrt>(call.tensor("self")))};
}

template <class Op>
Values reduce(const Call& call) {
  const auto rank = call.sizes("self").size();
  std::vector<std::int64_t> axes;
  if (call.has("dim")) axes = call.integers("dim");
  if (axes.empty()) {
    axes.resize(rank);
    std::iota(axes.begin(), axes.end(), 0);
  }
  return {std::make_shared<Op>(as(call.tensor("self"), element_type(call.result_type())), constant(axes),
                               call.flag("keepdim"))};
}

}  // namespace

Table arithmetic() {
  return {{"add", add},
          {"sub", subtract},
          {"rsub", subtract_from},
          {"mul", binary<op::v1::Multiply>},
          {"div", divide},
          {"maximum", binary<op::v1::Maximum>},
          {"minimum", binary<op::v1::Minimum>},
          {"pow", power},
          {"square", square},
          {"reciprocal", reciprocal},
          {"rsqrt", rsqrt},
          {"neg", unary<op::v0::Negative>},
          {"abs", unary<op::v0::Abs>},
          {"exp", unary<op::v0::Exp>},
          {"log", unary<op::v0::Log>},
          {"sqrt", unary<op::v0::Sqrt>},
          {"erf", unary<op::v0::Erf>},
          {"sin", unary<op::v0::Sin>},
          {"cos", unary<op::v0::Cos>},
          {"floor", unary<op::v0::Floor>},
          {"ceil", unary<op::v0::Ceiling>},
          {"mean", reduce<op::v1::ReduceMean>},
          {"sum", reduce<op::v1::ReduceSum>},
          {"amax", reduce<op::v1::ReduceMax>},
          {"amin", reduce<op::v1::ReduceMin>}};
}

}  // namespace ichdet::openvino
