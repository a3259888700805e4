#pragma once

#include <torch/nn/modules/linear.h>

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "ichdet/nn/network.hpp"

namespace ichdet::models {

struct ClassifierOptions {
  std::int64_t in_chans = 3;
  std::int64_t num_classes = 1000;  ///< 0: no last layer

  /// From a bundle's `architecture.options`. Throws Error(weights) naming the key, starting with `subject`.
  static ClassifierOptions from_json(const nlohmann::json& options, const std::string& subject);
};

/// A network that says what an image shows: a feature map, pooled to a vector, and one linear layer. Features,
/// pre-logits and logits are those of timm's forward_features and forward_head.
class Classifier : public Network {
 public:
  Classifier(std::int64_t in_chans, std::string first_convolution);

  /// The last feature map, which Grad-CAM looks at, (N, C, h, w), to the linear layer's input (N, C'): pre-logits.
  virtual at::Tensor forward_pool(const at::Tensor& features) = 0;
  /// Pooling and the linear layer, (N, num_classes); without classes the pre-logits.
  at::Tensor forward_head(const at::Tensor& features) override;

  /// A fresh last layer of as many outputs, its weights random; 0: none.
  virtual void reset_classifier(std::int64_t num_classes);

  /// Outputs of the last layer; 0 where there is none.
  std::int64_t num_classes() const { return classifier ? classifier->options.out_features() : 0; }

  torch::nn::Linear classifier{nullptr};  ///< null without classes
  std::string classifier_name;            ///< of that layer among the parameters: "fc"
  std::int64_t num_features = 0;          ///< that it reads
  std::int64_t in_chans;                  ///< of the image
  std::string first_convolution;          ///< the layer that reads it: "conv1"

 protected:
  /// Makes and registers the last layer, as `name` of the child `owner` ("": of this network).
  void make_classifier(const std::string& owner, const std::string& name, std::int64_t features,
                       std::int64_t num_classes);
};

}  // namespace ichdet::models
