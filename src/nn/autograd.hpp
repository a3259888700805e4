#pragma once

#include "engine.hpp"

namespace ichdet::nn {

/// The gradient of the sum of what `score` gives with respect to `x`; undefined where it does not depend on it.
at::Tensor input_gradient(const Forward& score, const at::Tensor& x);

/// The gradient of the sum of what `score` gives, by LibTorch's autograd, in the module's own type.
Compiled autograd_gradient(const std::shared_ptr<torch::nn::Module>& module, const Forward& score);

}  // namespace ichdet::nn
