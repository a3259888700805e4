#include "ichdet/train/weight_average.hpp"

#include <ATen/Functions.h>
#include <torch/nn/module.h>

#include <algorithm>

namespace ichdet::train {
namespace {

template <class Use>
void each_tensor(const torch::nn::Module& network, Use&& use) {
  for (const auto& item : network.named_parameters()) use(item.key(), item.value());
  for (const auto& item : network.named_buffers()) use(item.key(), item.value());
}

}  // namespace

WeightAverage::WeightAverage(const torch::nn::Module& network, double decay) : decay_(decay) {
  each_tensor(network, [&](const std::string& name, const at::Tensor& tensor) {
    if (tensor.defined()) tensors[name] = tensor.detach().clone();
  });
}

void WeightAverage::update(const torch::nn::Module& network) {
  const at::NoGradGuard no_grad;
  ++updates;
  const double keep = std::min(decay_, double(1 + updates) / double(10 + updates));
  each_tensor(network, [&](const std::string& name, const at::Tensor& tensor) {
    if (!tensor.defined()) return;
    auto& average = tensors.at(name);
    if (tensor.is_floating_point()) {
      average.lerp_(tensor.detach(), 1 - keep);
    } else {
      average.copy_(tensor);
    }
  });
}

void WeightAverage::swap(torch::nn::Module& network) {
  const at::NoGradGuard no_grad;
  each_tensor(network, [&](const std::string& name, const at::Tensor& tensor) {
    if (!tensor.defined()) return;
    auto& average = tensors.at(name);
    const auto own = tensor.detach().clone();
    at::Tensor(tensor).detach().copy_(average);
    average.copy_(own);
  });
}

}  // namespace ichdet::train
