#pragma once

#include <torch/nn/modules/rnn.h>

#include "ichdet/models/mobilenet.hpp"

namespace ichdet::models {

struct MobileNetLstmOptions : ClassifierOptions {
  MobileNetLstmOptions() { num_classes = 3; }

  std::int64_t hidden_size = 256;  ///< of the LSTM, one layer, one direction

  /// From a bundle's `architecture.options`. Throws Error(weights) naming the key, starting with `subject`.
  static MobileNetLstmOptions from_json(const nlohmann::json& options, const std::string& subject);
};

/// S5's exam classifier: MobileNet on each of an exam's slices (25 in the paper), an LSTM along them, and its last
/// state to three classes (hemorrhage, no finding, other). The paper states neither the LSTM's size nor which of its
/// states is read: both are choices of ours.
///
/// Input (N, T, in_chans, H, W) for T slices of three windows; features (N, T, 1024, ceil(H / 32), ceil(W / 32)).
/// Parameters: `backbone.*` as in timm's `mobilenetv1_100`, `lstm.*` as in torch.nn.LSTM, `classifier.*`.
class MobileNetLstmImpl : public Classifier {
 public:
  explicit MobileNetLstmImpl(MobileNetLstmOptions options = {});

  at::Tensor forward_features(const at::Tensor& x) override;
  /// The LSTM's state after the last slice: (N, T, C, h, w) to (N, hidden_size).
  at::Tensor forward_pool(const at::Tensor& features) override;

  MobileNetLstmOptions options;
  MobileNetV1 backbone;
  torch::nn::LSTM lstm;
};
TORCH_MODULE(MobileNetLstm);

}  // namespace ichdet::models
