#pragma once

#include "ichdet/models/classifier.hpp"
#include "ichdet/models/mobile_trunk.hpp"

namespace ichdet::models {

/// MobileNet (Howard et al., 2017). Parameters are named as in timm's `mobilenetv1_100`. Input (N, in_chans, H, W),
/// features (N, 1024, ceil(H / 32), ceil(W / 32)).
class MobileNetV1Impl : public Classifier {
 public:
  explicit MobileNetV1Impl(ClassifierOptions options = {});

  at::Tensor forward_features(const at::Tensor& x) override;
  at::Tensor forward_pool(const at::Tensor& features) override;

  MobileTrunk trunk;
};
TORCH_MODULE(MobileNetV1);

/// MobileNetV2 (Sandler et al., CVPR 2018). Parameters are named as in timm's `mobilenetv2_100`. Input
/// (N, in_chans, H, W), features (N, 1280, ceil(H / 32), ceil(W / 32)).
class MobileNetV2Impl : public Classifier {
 public:
  explicit MobileNetV2Impl(ClassifierOptions options = {});

  at::Tensor forward_features(const at::Tensor& x) override;
  at::Tensor forward_pool(const at::Tensor& features) override;

  MobileTrunk trunk;
  torch::nn::Conv2d conv_head;
  torch::nn::BatchNorm2d bn2;
};
TORCH_MODULE(MobileNetV2);

}  // namespace ichdet::models
