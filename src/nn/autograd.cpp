#include "autograd.hpp"

#include <ATen/core/grad_mode.h>
#include <c10/core/InferenceMode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/nn/module.h>

#include "ichdet/core/error.hpp"

namespace ichdet::nn {

at::Tensor input_gradient(const Forward& score, const at::Tensor& x) {
  const c10::InferenceMode off(false);
  const at::AutoGradMode graph(true);
  const auto from = (x.is_inference() ? x.clone() : x.detach()).requires_grad_();
  const auto sum = score(from.clone()).sum();  // a copy: it may begin in place
  if (!sum.requires_grad()) return {};
  return torch::autograd::grad({sum}, {from}, {}, /*retain_graph=*/false, /*create_graph=*/false, /*allow_unused=*/true)
      .front();
}

Compiled autograd_gradient(const std::shared_ptr<torch::nn::Module>& module, const Forward& score) {
  Compiled compiled;
  compiled.form = "LibTorch's autograd";
  compiled.run = [module, score](const at::Tensor& x) {
    auto found = input_gradient(score, x);
    if (found.defined()) return found;
    throw Error(ErrorCode::shape, "gradient: the score does not depend on the input");
  };
  return compiled;
}

}  // namespace ichdet::nn
