#include "onednn.hpp"

#include <ATen/Functions.h>

#include <utility>

namespace ichdet::nn {
namespace {

const char* const convolution_schema =
    "mkldnn::_convolution_pointwise(Tensor X, Tensor W, Tensor? B, int[] padding, int[] stride, int[] dilation, "
    "int groups, str attr, Scalar?[] scalars, str? algorithm) -> Tensor Y";
const char* const sum_schema =
    "mkldnn::_convolution_pointwise.binary(Tensor X, Tensor other, Tensor W, Tensor? B, int[] padding, int[] stride, "
    "int[] dilation, int groups, str binary_attr, Scalar? alpha, str? unary_attr, Scalar?[] unary_scalars, "
    "str? unary_algorithm) -> Tensor Y";
const char* const transposed_schema =
    "mkldnn::_convolution_transpose_pointwise(Tensor X, Tensor W, Tensor? B, int[] padding, int[] output_padding, "
    "int[] stride, int[] dilation, int groups, str attr, Scalar?[] scalars, str? algorithm) -> Tensor Y";
const char* const linear_schema =
    "mkldnn::_linear_pointwise(Tensor X, Tensor W, Tensor? B, str attr, Scalar?[] scalars, str? algorithm) -> Tensor Y";
const char* const pack_linear_schema = "mkldnn::_reorder_linear_weight(Tensor self, int? batch_size=None) -> Tensor Y";
const char* const pack_transposed_schema =
    "mkldnn::_reorder_convolution_transpose_weight(Tensor self, int[2] padding=0, int[2] output_padding=0, "
    "int[2] stride=1, int[2] dilation=1, int groups=1, int[]? input_size=None) -> Tensor Y";
const char* const bfloat16_schema = "mkldnn::_is_mkldnn_bf16_supported() -> bool _0";

c10::IValue scalar_list(const std::vector<double>& scalars) {
  c10::List<std::optional<at::Scalar>> list;
  for (const auto scalar : scalars) list.push_back(at::Scalar(scalar));
  return list;
}

c10::IValue or_none(const at::Tensor& tensor) { return tensor.defined() ? c10::IValue(tensor) : c10::IValue(); }

at::Tensor call(const c10::OperatorHandle& handle, std::vector<c10::IValue> stack) {
  handle.callBoxed(stack);
  return std::move(stack.front()).toTensor();
}

at::Tensor pack(const Convolution& c, at::IntArrayRef input_size) {
  if (c.transposed) {
    return call(*find_operator(pack_transposed_schema), {c.weight.contiguous(), c.padding, c.output_padding, c.stride,
                                                         c.dilation, c.groups, c10::IValue(input_size)});
  }
  const auto weight = c.weight.contiguous().to_mkldnn();
  return input_size.size() == 4
             ? at::mkldnn_reorder_conv2d_weight(weight, c.padding, c.stride, c.dilation, c.groups, input_size)
             : at::mkldnn_reorder_conv3d_weight(weight, c.padding, c.stride, c.dilation, c.groups, input_size);
}

}  // namespace

std::optional<c10::OperatorHandle> find_operator(const std::string& schema) {
  const auto name = schema.substr(0, schema.find('('));
  const auto dot = name.find('.');
  const auto overload = dot == std::string::npos ? "" : name.substr(dot + 1);
  auto handle = c10::Dispatcher::singleton().findSchema({name.substr(0, dot), overload});
  if (handle && c10::toString(handle->schema()) != schema) return std::nullopt;
  return handle;
}

at::Tensor FusedOperator::operator()(const at::Tensor& input, const at::Tensor& other) const {
  auto stack = arguments;
  stack[0] = input;
  if (other.defined()) stack[1] = other;
  return call(handle, std::move(stack));
}

bool onednn_has(at::ScalarType type) {
  if (type == at::kFloat) return true;
  const auto query = find_operator(bfloat16_schema);
  if (type != at::kBFloat16 || !query) return false;
  std::vector<c10::IValue> stack;
  query->callBoxed(stack);
  return stack.front().toBool();
}

bool has(Fused form) {
  switch (form) {
    case Fused::convolution: return find_operator(convolution_schema).has_value();
    case Fused::convolution_and_sum: return find_operator(sum_schema).has_value();
    case Fused::transposed_convolution:
      return find_operator(transposed_schema) && find_operator(pack_transposed_schema);
    case Fused::linear: return find_operator(linear_schema) && find_operator(pack_linear_schema);
  }
  return false;
}

FusedOperator fused_convolution(const Convolution& c, at::IntArrayRef input_size, bool adds,
                                const Activation& activation, const Pack& packed) {
  const auto weight = packed("packed convolution", [&] { return pack(c, input_size); });
  const auto bias = or_none(c.bias), scalars = scalar_list(activation.scalars);
  if (c.transposed) {
    return {*find_operator(transposed_schema),
            {{},
             weight,
             bias,
             c.padding,
             c.output_padding,
             c.stride,
             c.dilation,
             c.groups,
             activation.name,
             scalars,
             activation.algorithm}};
  }
  if (adds) {
    const auto same = or_none(c.bias.defined() ? c.bias.to(c.weight.scalar_type()) : c.bias);  // it takes no other type
    const auto unary = activation.name == "none" ? c10::IValue() : c10::IValue(activation.name);
    return {*find_operator(sum_schema),
            {{},
             {},
             weight,
             same,
             c.padding,
             c.stride,
             c.dilation,
             c.groups,
             "add",
             1.0,
             unary,
             scalars,
             activation.algorithm}};
  }
  return {
      *find_operator(convolution_schema),
      {{}, weight, bias, c.padding, c.stride, c.dilation, c.groups, activation.name, scalars, activation.algorithm}};
}

FusedOperator fused_linear(const at::Tensor& weight, const at::Tensor& bias, std::int64_t rows,
                           const Activation& activation, const Pack& packed) {
  const auto reordered = packed("packed linear", [&] {
    return call(*find_operator(pack_linear_schema), {weight.contiguous(), rows});
  });
  return {*find_operator(linear_schema),
          {{}, reordered, or_none(bias), activation.name, scalar_list(activation.scalars), activation.algorithm}};
}

}  // namespace ichdet::nn
