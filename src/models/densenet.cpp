#include "ichdet/models/densenet.hpp"

#include <cctype>

#include "ichdet/nn/state_dict.hpp"
#include "layers.hpp"

namespace ichdet::models {
namespace {

constexpr std::int64_t growth = 32, bottleneck = 4;
constexpr std::int64_t layers_of_block[] = {6, 12, 24, 16};

/// `denselayer1.norm.1.weight`, as torchvision's files have it, as `denselayer1.norm1.weight`.
std::string undotted(std::string name) {
  for (const std::string part : {".norm.", ".conv."}) {
    const auto at = name.rfind(part);
    if (at == std::string::npos || name.find("denselayer") > at) continue;
    const auto digit = at + part.size();
    if (digit < name.size() && std::isdigit(std::uint8_t(name[digit])) != 0) name.erase(digit - 1, 1);
  }
  return name;
}

}  // namespace

DenseLayerImpl::DenseLayerImpl(std::int64_t in_channels, std::int64_t channels)
    : norm1(register_module("norm1", batch_norm(in_channels))),
      norm2(register_module("norm2", batch_norm(bottleneck * channels))),
      conv1(register_module("conv1", conv2d(in_channels, bottleneck * channels, 1))),
      conv2(register_module("conv2", conv2d(bottleneck * channels, channels, 3))) {}

at::Tensor DenseLayerImpl::forward(const at::Tensor& x) { return conv2(at::relu(norm2(conv1(at::relu(norm1(x)))))); }

DenseTransitionImpl::DenseTransitionImpl(std::int64_t in_channels)
    : norm(register_module("norm", batch_norm(in_channels))),
      conv(register_module("conv", conv2d(in_channels, in_channels / 2, 1))) {}

at::Tensor DenseTransitionImpl::forward(const at::Tensor& x) { return at::avg_pool2d(conv(at::relu(norm(x))), 2, 2); }

DenseNetImpl::DenseNetImpl(ClassifierOptions options) : Classifier(options.in_chans, "features.conv0") {
  auto features = register_module("features", std::make_shared<torch::nn::Module>());
  std::int64_t channels = 2 * growth;
  conv0 = features->register_module("conv0", conv2d(in_chans, channels, 7, 2));
  norm0 = features->register_module("norm0", batch_norm(channels));
  for (const auto layers : layers_of_block) {
    const auto number = std::to_string(blocks.size() + 1);
    auto block = features->register_module("denseblock" + number, std::make_shared<torch::nn::Module>());
    auto& row = blocks.emplace_back();
    for (std::int64_t i = 1; i <= layers; ++i) {
      row.push_back(block->register_module("denselayer" + std::to_string(i), DenseLayer(channels, growth)));
      channels += growth;
    }
    if (blocks.size() == std::size(layers_of_block)) break;
    transitions.push_back(features->register_module("transition" + number, DenseTransition(channels)));
    channels /= 2;
  }
  norm5 = features->register_module("norm5", batch_norm(channels));
  make_classifier("", "classifier", channels, options.num_classes);
}

at::Tensor DenseNetImpl::forward_features(const at::Tensor& x) {
  expect_images(x, in_chans, "DenseNet");
  auto out = at::max_pool2d(at::relu(norm0(conv0(x))), 3, 2, 1);
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    for (auto& layer : blocks[i]) out = at::cat({out, layer(out)}, 1);
    if (i < transitions.size()) out = transitions[i](out);
  }
  return at::relu(norm5(out));
}

at::Tensor DenseNetImpl::forward_pool(const at::Tensor& features) { return global_average(features); }

void DenseNetImpl::rename_published(StateDict& weights) const {
  std::map<std::string, at::Tensor> renamed;
  for (auto& [name, tensor] : weights.tensors) renamed[undotted(name)] = tensor;
  weights.tensors = std::move(renamed);
}

}  // namespace ichdet::models
