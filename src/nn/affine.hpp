#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

namespace torch::jit {
struct Node;
}

namespace ichdet::nn {

/// Batch norm as y = x * scale + shift, one of each for a channel, in double.
struct Affine {
  at::Tensor scale, shift;
};

/// Of an `aten::batch_norm` in evaluation whose statistics are constant; else nothing.
std::optional<Affine> affine_of(const torch::jit::Node* norm);

}  // namespace ichdet::nn
