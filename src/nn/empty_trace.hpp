#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>

namespace torch::jit {
struct Graph;
}

namespace ichdet::nn {

using TraceOf = std::function<std::shared_ptr<torch::jit::Graph>(at::IntArrayRef shape)>;

/// The graph that `trace` would make for N samples (N, C, ...), from its trace of none: of (0, C, ...) LibTorch's
/// operators compute sizes and nothing else, in no time and memory. Nothing where an operator mixes samples or is not
/// known here. What a network that looks for empty inputs does with N samples is not seen: it is for ichdet's own.
std::shared_ptr<torch::jit::Graph> trace_empty(const TraceOf& trace, at::IntArrayRef shape);

/// at::instance_norm by each sample's own statistics; also of no samples, where LibTorch's own throws, and traced so.
at::Tensor instance_norm_of_any(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, double momentum,
                                double epsilon);

}  // namespace ichdet::nn
