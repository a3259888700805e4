#include <openvino/op/add.hpp>
#include <openvino/op/matmul.hpp>
#include <openvino/op/multiply.hpp>
#include <openvino/op/scaled_dot_product_attention.hpp>

#include "lower.hpp"

namespace ichdet::openvino {
namespace {

namespace op = ov::op;

Value product(const Value& a, const Value& b, bool transpose_b = false) {
  return std::make_shared<op::v0::MatMul>(a, b, false, transpose_b);
}

Value times(const Value& x, double factor) {
  if (factor == 1) return x;
  return std::make_shared<op::v1::Multiply>(x, constant(factor));
}

Values linear(const Call& call) {
  const auto y = product(call.tensor("input"), call.tensor("weight"), true);
  if (!call.has("bias")) return {y};
  return {std::make_shared<op::v1::Add>(y, call.tensor("bias"))};
}

Values matmul(const Call& call) {
  return {product(call.tensor("self"), call.tensor(call.has("mat2") ? "mat2" : "other"))};
}

/// beta · self + alpha · (a @ b)
Value added_product(const Call& call, const char* a, const char* b) {
  const auto y = times(product(call.tensor(a), call.tensor(b)), call.number("alpha"));
  return std::make_shared<op::v1::Add>(times(call.tensor("self"), call.number("beta")), y);
}

Values addmm(const Call& call) { return {added_product(call, "mat1", "mat2")}; }
Values baddbmm(const Call& call) { return {added_product(call, "batch1", "batch2")}; }

Values attention(const Call& call) {
  call.require(call.number("dropout_p") == 0, "dropout_p");
  call.require(!call.flag("enable_gqa"), "enable_gqa");
  Values inputs{call.tensor("query"), call.tensor("key"), call.tensor("value")};
  if (call.has("attn_mask")) {
    inputs.push_back(call.tensor("attn_mask"));
  } else if (call.has("scale")) {
    inputs.push_back(constant(0.));
  }
  if (call.has("scale")) inputs.push_back(constant(call.number("scale")));
  return {std::make_shared<op::v13::ScaledDotProductAttention>(inputs, call.flag("is_causal"))};
}

}  // namespace

Table products() {
  return {{"linear", linear},
          {"matmul", matmul},
          {"mm", matmul},
          {"bmm", matmul},
          {"addmm", addmm},
          {"baddbmm", baddbmm},
          {"scaled_dot_product_attention", attention}};
}

}  // namespace ichdet::openvino
