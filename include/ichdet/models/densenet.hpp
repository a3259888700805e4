#pragma once

#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/pimpl.h>

#include <vector>

#include "ichdet/models/classifier.hpp"

namespace ichdet::models {

/// Batch norm, ReLU, 1 x 1 convolution, and the same with 3 x 3: all maps so far to `growth` new ones.
class DenseLayerImpl : public torch::nn::Module {
 public:
  DenseLayerImpl(std::int64_t in_channels, std::int64_t growth);
  at::Tensor forward(const at::Tensor& x);

  torch::nn::BatchNorm2d norm1, norm2;
  torch::nn::Conv2d conv1, conv2;
};
TORCH_MODULE(DenseLayer);

/// Half as many channels, half as large.
class DenseTransitionImpl : public torch::nn::Module {
 public:
  explicit DenseTransitionImpl(std::int64_t in_channels);
  at::Tensor forward(const at::Tensor& x);

  torch::nn::BatchNorm2d norm;
  torch::nn::Conv2d conv;
};
TORCH_MODULE(DenseTransition);

/// DenseNet-121 (Huang et al., CVPR 2017). Parameters are named as in timm's `densenet121` and torchvision's. With six
/// classes, each with its own sigmoid, it is S2's slice detector. Input (N, in_chans, H, W), features
/// (N, 1024, floor(H / 32), floor(W / 32)) or a pixel more.
class DenseNetImpl : public Classifier {
 public:
  explicit DenseNetImpl(ClassifierOptions options = {});

  at::Tensor forward_features(const at::Tensor& x) override;
  at::Tensor forward_pool(const at::Tensor& features) override;
  /// torchvision's published file says `norm.1` for `norm1`, and so on.
  void rename_published(StateDict& weights) const override;

  torch::nn::Conv2d conv0{nullptr};
  torch::nn::BatchNorm2d norm0{nullptr}, norm5{nullptr};
  std::vector<std::vector<DenseLayer>> blocks;  ///< denseblock1.denselayer1, ...
  std::vector<DenseTransition> transitions;     ///< after all blocks but the last
};
TORCH_MODULE(DenseNet);

}  // namespace ichdet::models
