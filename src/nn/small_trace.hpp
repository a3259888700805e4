#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>

namespace torch::jit {
struct Graph;
}

namespace ichdet::nn {

using TraceOf = std::function<std::shared_ptr<torch::jit::Graph>(at::IntArrayRef shape)>;

/// The graph that `trace` would make for a large volume (N, C, D, H, W), from traces of two small ones, which cost a
/// fraction of the time and memory. Nothing where the two graphs differ by more than the sizes of volumes, where there
/// is an operator whose result's size is not known here, or where the network does not take small volumes. Of a network
/// that is another one beyond some size, these two know nothing: it is for ichdet's own.
std::shared_ptr<torch::jit::Graph> trace_small(const TraceOf& trace, at::IntArrayRef shape);

}  // namespace ichdet::nn
