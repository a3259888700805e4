#pragma once

#include "ichdet/models/classifier.hpp"
#include "ichdet/models/inception_unet.hpp"

namespace ichdet::models {

struct WeightModelOptions : ClassifierOptions {
  WeightModelOptions() { in_chans = num_classes = 5; }

  std::vector<std::int64_t> filters = {16, 32, 64};  ///< of its convolutions, each of which halves the map

  /// From a bundle's `architecture.options`; `in_chans` and `num_classes` are the number of maps. Throws Error(weights)
  /// naming the key, starting with `subject`.
  static WeightModelOptions from_json(const nlohmann::json& options, const std::string& subject);
};

/// S3's weight model: from the maps of five segmentation models, as channels in [0, 1], to five weights for the slice.
/// The paper states the input, that there is a weight for each model and slice, and that the weighted maps are added
/// up; the network (3 x 3 convolutions of stride 2 with batch norm and ReLU, global average, one linear layer) and the
/// softmax over its outputs, which keeps the sum in [0, 1], are ours.
///
/// Input (N, maps, H, W), logits (N, maps). Parameters: `convs.<i>.conv`, `convs.<i>.norm`, `fc`.
class WeightModelImpl : public Classifier {
 public:
  explicit WeightModelImpl(WeightModelOptions options = {});

  at::Tensor forward_features(const at::Tensor& x) override;
  at::Tensor forward_pool(const at::Tensor& features) override;

  WeightModelOptions options;
  std::vector<ConvNorm> convs;
};
TORCH_MODULE(WeightModel);

}  // namespace ichdet::models
