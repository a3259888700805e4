#pragma once

#include <ATen/core/stack.h>
#include <torch/csrc/jit/ir/ir.h>

#include <functional>
#include <optional>

#include "onednn.hpp"

// What LibTorch's engine knows of single operators.
namespace ichdet::nn {

/// Products of matrices, convolutions among them.
bool multiplies(const torch::jit::Node* node);

/// The node as a step on a stack that holds its inputs, and then its outputs.
std::function<void(torch::jit::Stack&)> operation_of(const torch::jit::Node* node);

/// Operators that LibTorch has for bfloat16 beside float32.
bool takes_both_types(const torch::jit::Node* node);

/// Where float32 is among the tensors, bfloat16 ones become float32 too.
void widen_mixed(torch::jit::Stack& stack);

/// The same operator writing to its first argument, where that changes nothing but memory.
std::optional<c10::OperatorHandle> overwriting(const torch::jit::Node* node);

/// An `aten::_convolution` whose arguments but the input are constants.
Convolution convolution_of(const torch::jit::Node* layer);

/// Transposed convolutions with wide gaps, by stride or dilation: oneDNN takes them hundreds of times as long in
/// channels-last or bfloat16 as LibTorch's own product with the weights in float32 (S1's first one: 11 s and 45 ms).
bool has_wide_gaps(const torch::jit::Node* node);

}  // namespace ichdet::nn
