#pragma once

#include <nlohmann/json_fwd.hpp>

#include "ichdet/models/classifier.hpp"
#include "ichdet/models/mobile_trunk.hpp"

namespace ichdet::models {

struct EfficientNetOptions : ClassifierOptions {
  bool tf_same_padding = false;  ///< timm's `tf_efficientnet_b0`

  /// From a bundle's `architecture.options`. Throws Error(weights) naming the key, starting with `subject`.
  static EfficientNetOptions from_json(const nlohmann::json& options, const std::string& subject);
};

/// Stem and seven stages of EfficientNet-B0, as children of `owner`.
MobileTrunk efficientnet_b0_trunk(torch::nn::Module& owner, std::int64_t in_channels, bool tf_same_padding);

/// EfficientNet-B0 (Tan and Le, ICML 2019). Parameters are named as in timm's `efficientnet_b0`; stochastic depth,
/// off in evaluation, is left out. Input (N, in_chans, H, W), features (N, 1280, ceil(H / 32), ceil(W / 32)).
class EfficientNetImpl : public Classifier {
 public:
  explicit EfficientNetImpl(EfficientNetOptions options = {});

  at::Tensor forward_features(const at::Tensor& x) override;
  at::Tensor forward_pool(const at::Tensor& features) override;

  EfficientNetOptions options;
  MobileTrunk trunk;
  torch::nn::Conv2d conv_head;
  torch::nn::BatchNorm2d bn2;
};
TORCH_MODULE(EfficientNet);

}  // namespace ichdet::models
