#pragma once

#include <memory>

namespace torch::jit {
struct Graph;
}

namespace ichdet::nn {

class WeightCache;

/// Reverse mode over a traced and folded graph, in place: its output becomes the gradient of the sum of what it was,
/// with respect to its input. What comes out is a graph of plain aten operators as before, which the same engines take:
/// the gradient of a convolution is a convolution with the weights turned round, or a transposed one. Weights get no
/// gradient.
///
/// Throws Error(options) that names the operator whose derivative is not known here.
void differentiate(torch::jit::Graph& graph, WeightCache& weights);

}  // namespace ichdet::nn
