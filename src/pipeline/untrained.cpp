#include "untrained.hpp"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/TensorOperators.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>

#include <cmath>
#include <numeric>
#include <span>

#include "ichdet/models/classifier.hpp"
#include "ichdet/nn/network.hpp"
#include "ichdet/phantom/phantom.hpp"
#include "ichdet/pipeline/slice_images.hpp"

namespace ichdet::pipeline {
namespace {

/// Six slices of a head with blood, as the network reads them.
at::Tensor example_input(const ModelSpec& model) {
  PhantomOptions options;
  options.rows = options.columns = 256;
  options.pixel_mm = 0.9;
  options.slices = 6;
  options.thickness_mm = 20;
  options.subsamples = 1;
  const auto phantom = make_phantom(options);
  const SliceImages images(phantom.stack, model);
  if (model.task == Task::exam_classification) return images.exam();
  std::vector<std::int64_t> all(std::size_t(options.slices));
  std::iota(all.begin(), all.end(), 0);
  return images(all);
}

/// Of the weights' normal distribution, so that a layer of rectifiers keeps the size of what flows through it.
double spread(const torch::nn::Module& layer, const at::Tensor& weight) {
  if (const auto* up = layer.as<torch::nn::ConvTranspose2d>()) {
    const auto& stride = *up->options.stride();
    return std::sqrt(double(weight.size(1) * stride[0] * stride[1]) / double(weight.numel()));
  }
  return std::sqrt(2 * double(weight.size(0)) / double(weight.numel()));
}

}  // namespace

void randomise(Network& network, const ModelSpec& model, std::uint64_t seed) {
  const at::NoGradGuard no_grad;
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  std::vector<torch::nn::BatchNorm2dImpl*> norms;
  for (const auto& layer : network.modules()) {
    for (const auto& parameter : layer->named_parameters(/*recurse=*/false)) {
      auto value = parameter.value();
      if (value.dim() < 2) {
        value.fill_(parameter.key().starts_with("bias") ? 0 : 1);  // others scale: batch norm, BiFPN's edges
      } else {
        value.normal_(0, spread(*layer, value), generator);
      }
    }
    if (auto* norm = layer->as<torch::nn::BatchNorm2d>()) norms.push_back(norm);
  }
  std::vector<c10::optional<double>> momenta;
  for (auto* norm : norms) {
    momenta.push_back(norm->options.momentum());
    norm->options.momentum(1.0);
    norm->train();
  }
  const auto input = example_input(model);
  network.forward(input);
  for (std::size_t i = 0; i < norms.size(); ++i) {
    norms[i]->options.momentum(momenta[i]);
    norms[i]->eval();
  }
  if (auto* classifier = dynamic_cast<models::Classifier*>(&network); classifier != nullptr && classifier->classifier) {
    const auto logits = network.forward(input);
    auto& last = *classifier->classifier;
    const auto size = logits.std().clamp_min(1e-6);
    last.weight.div_(size);
    last.bias.sub_(logits.mean(0) / size);
  }
}

}  // namespace ichdet::pipeline
