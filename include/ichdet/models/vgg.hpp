#pragma once

#include <torch/nn/modules/conv.h>
#include <torch/nn/pimpl.h>

#include <vector>

#include "ichdet/models/classifier.hpp"

namespace ichdet::models {

/// VGG-19 (Simonyan and Zisserman, ICLR 2015). Parameters are named as in timm's `vgg19`: the first two fully connected
/// layers are the convolutions pre_logits.fc1 and fc2. Input (N, in_chans, H, W), at least 32 x 32; features
/// (N, 512, floor(H / 32), floor(W / 32)), brought to at least 7 x 7 for the head.
class VggImpl : public Classifier {
 public:
  explicit VggImpl(ClassifierOptions options = {});

  at::Tensor forward_features(const at::Tensor& x) override;
  at::Tensor forward_pool(const at::Tensor& features) override;
  /// torchvision's classifier.0, .3 and .6 are pre_logits.fc1, pre_logits.fc2 and head.fc.
  void rename_published(StateDict& weights) const override;

  std::vector<std::vector<torch::nn::Conv2d>> features;  ///< `features.*`, by what lies between poolings
  torch::nn::Conv2d fc1{nullptr}, fc2{nullptr};
};
TORCH_MODULE(Vgg);

}  // namespace ichdet::models
