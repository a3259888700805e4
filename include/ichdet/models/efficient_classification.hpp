#pragma once

#include <torch/nn/modules/conv.h>
#include <torch/nn/pimpl.h>

#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "ichdet/models/bifpn.hpp"
#include "ichdet/models/resnet.hpp"

namespace ichdet::models {

struct EfficientClassificationOptions : ClassifierOptions {
  EfficientClassificationOptions() { num_classes = 2; }

  bool tf_same_padding = false;  ///< effdet's `tf_efficientdet_d0` in the place of `efficientdet_d0`

  /// From a bundle's `architecture.options`. Throws Error(weights) naming the key, starting with `subject`.
  static EfficientClassificationOptions from_json(const nlohmann::json& options, const std::string& subject);
};

/// EfficientClassification (S1: Cortés-Ferre et al., 2023, appendix A): EfficientDet-D0 without its heads, five
/// transposed convolutions that bring its maps to 224 x 224, two convolutions to three channels, ResNet-18.
///
/// Parameters are named as in the paper's appendix, `effdet.*` as in effdet 0.4.1 and `resnet.*` as in torchvision.
/// Input (N, in_chans, H, W), H and W 505 to 512 (the paper: 512), the only sizes whose maps meet at 224 x 224;
/// features (N, 512, 7, 7) of ResNet's layer4.
class EfficientClassificationImpl : public Classifier {
 public:
  explicit EfficientClassificationImpl(EfficientClassificationOptions options = {});

  at::Tensor forward_features(const at::Tensor& x) override;
  at::Tensor forward_pool(const at::Tensor& features) override;
  void reset_classifier(std::int64_t num_classes) override;

  /// The three steps of forward_features, the last being ResNet's. (N, in_chans, H, W) to five maps of 64 channels.
  std::vector<at::Tensor> pyramid(const at::Tensor& x);
  /// Five maps to (N, 3, 224, 224). There is no activation inside: this is linear.
  at::Tensor fuse(const std::vector<at::Tensor>& maps);

  EfficientClassificationOptions options;
  EfficientDet effdet;
  std::vector<torch::nn::ConvTranspose2d> deconv;  ///< `deconv0` to `deconv4`
  torch::nn::Conv2d conv0, conv1;
  ResNet resnet;
};
TORCH_MODULE(EfficientClassification);

}  // namespace ichdet::models
