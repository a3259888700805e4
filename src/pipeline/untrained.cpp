#include "untrained.hpp"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/TensorOperators.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>

#include <cmath>
#include <functional>
#include <numeric>
#include <span>

#include "ichdet/models/classifier.hpp"
#include "ichdet/models/convolution.hpp"
#include "ichdet/models/segmentation_network.hpp"
#include "ichdet/nn/network.hpp"
#include "ichdet/phantom/phantom.hpp"
#include "ichdet/pipeline/slice_images.hpp"
#include "ichdet/preprocess/grid.hpp"
#include "ichdet/preprocess/resample.hpp"
#include "model_input.hpp"

namespace ichdet::pipeline {
namespace {

/// The patch in the middle of a scan, as the network reads it.
at::Tensor middle_patch(const SliceStack& stack, const ModelSpec& model) {
  const auto grid = segmentation_grid(stack.geometry, Eigen::Vector3d(model.spacing_mm.data()));
  const auto hu = resample_to(stack, grid).hu;
  Box box{{}, model.patch.input};
  for (std::size_t axis = 0; axis < 3; ++axis) box.begin[axis] = (hu.extent(axis) - box.size[axis]) / 2;
  const auto layout = layout_of(box.size, {}, model.axes, against_lps(model));
  auto patch = at::empty({1, std::int64_t(model.channels.size()), layout.shape[0], layout.shape[1], layout.shape[2]});
  reader(hu, {{}, hu.shape()}, model)(box, layout, patch.data_ptr<float>());
  return patch;
}

/// Six slices of a head with blood, or a patch of it, as the network reads them; for what reads maps, noise.
at::Tensor example_input(const ModelSpec& model, const at::Generator& generator) {
  if (model.task == Task::map_weights) return at::rand({6, std::int64_t(model.channels.size()), 64, 64}, generator);
  PhantomOptions options;
  options.rows = options.columns = 256;
  options.pixel_mm = 0.9;
  options.slices = 6;
  options.thickness_mm = 20;
  options.subsamples = 1;
  const auto phantom = make_phantom(options);
  if (model.task == Task::segmentation) return middle_patch(phantom.stack, model);
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
  if (const auto* up = layer.as<models::ConvolutionImpl>(); up != nullptr && up->transposed) {
    const auto factor = std::accumulate(up->stride.begin(), up->stride.end(), std::int64_t{1}, std::multiplies<>());
    return std::sqrt(double(weight.size(1) * factor) / double(weight.numel()));
  }
  return std::sqrt(2 * double(weight.size(0)) / double(weight.numel()));
}

/// Scales what makes logits so that they spread by one, and makes background three of that likelier.
void settle_heads(models::SegmentationNetwork& network, const at::Tensor& input) {
  const auto logits = network.forward(input);
  const auto size = logits.std().clamp_min(1e-6);
  auto shift = logits.transpose(0, 1).flatten(1).mean(1) / size;
  shift[0] -= 3;
  for (const auto& layer : network.modules()) {
    auto* head = layer->as<models::ConvolutionImpl>();
    if (head == nullptr || head->transposed || head->weight.size(0) != network.num_classes || !head->bias.defined())
      continue;
    head->weight.div_(size);
    head->bias.sub_(shift);
  }
}

}  // namespace

void randomise(Network& network, const ModelSpec& model, std::uint64_t seed) {
  const at::NoGradGuard no_grad;
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  std::vector<torch::nn::BatchNorm2dImpl*> norms;
  std::vector<models::NormImpl*> own_norms;
  for (const auto& layer : network.modules()) {
    for (const auto& parameter : layer->named_parameters(/*recurse=*/false)) {
      auto value = parameter.value();
      if (value.dim() < 2 || parameter.key() == "gamma") {
        value.fill_(parameter.key().starts_with("bias") ? 0 : 1);  // others scale: norms, BiFPN's edges
      } else {
        value.normal_(0, spread(*layer, value), generator);
      }
    }
    if (auto* norm = layer->as<torch::nn::BatchNorm2d>()) norms.push_back(norm);
    if (auto* norm = layer->as<models::NormImpl>()) own_norms.push_back(norm);
  }
  std::vector<c10::optional<double>> momenta;
  for (auto* norm : norms) {
    momenta.push_back(norm->options.momentum());
    norm->options.momentum(1.0);
    norm->train();
  }
  for (auto* norm : own_norms) {
    norm->momentum = 1;
    norm->train();
  }
  const auto input = example_input(model, generator);
  network.forward(input);
  for (auto* norm : own_norms) {
    norm->momentum = models::NormImpl::usual_momentum;
    norm->eval();
  }
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
  if (auto* segmenter = dynamic_cast<models::SegmentationNetwork*>(&network)) settle_heads(*segmenter, input);
}

}  // namespace ichdet::pipeline
