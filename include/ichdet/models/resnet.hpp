#pragma once

#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/pimpl.h>

#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "ichdet/models/classifier.hpp"

namespace ichdet::models {

struct ResNetOptions : ClassifierOptions {
  std::vector<std::int64_t> layers = {2, 2, 2, 2};  ///< basic blocks in each of the four stages: ResNet-18

  /// From a bundle's `architecture.options`. Throws Error(weights) naming the key, starting with `subject`.
  static ResNetOptions from_json(const nlohmann::json& options, const std::string& subject);
};

/// Two 3 x 3 convolutions and the input, which `downsample` brings to the same shape where it has another.
class BasicBlockImpl : public torch::nn::Module {
 public:
  BasicBlockImpl(std::int64_t in_channels, std::int64_t channels, std::int64_t stride);
  at::Tensor forward(const at::Tensor& x);

  torch::nn::Conv2d conv1, conv2, downsample_conv{nullptr};  ///< the last is `downsample.0`, or null
  torch::nn::BatchNorm2d bn1, bn2, downsample_bn{nullptr};   ///< `downsample.1`
};
TORCH_MODULE(BasicBlock);

/// ResNet of basic blocks (He et al., CVPR 2016): ResNet-18. Parameters are named as in timm's `resnet18` and
/// torchvision's. Input (N, in_chans, H, W), features (N, 512, ceil(H / 32), ceil(W / 32)).
class ResNetImpl : public Classifier {
 public:
  explicit ResNetImpl(ResNetOptions options = {});

  at::Tensor forward_features(const at::Tensor& x) override;
  at::Tensor forward_pool(const at::Tensor& features) override;

  ResNetOptions options;
  torch::nn::Conv2d conv1{nullptr};
  torch::nn::BatchNorm2d bn1{nullptr};
  std::vector<std::vector<BasicBlock>> layers;  ///< `layer1` to `layer4`
};
TORCH_MODULE(ResNet);

}  // namespace ichdet::models
