#pragma once

#include <torch/nn/modules/conv.h>
#include <torch/nn/pimpl.h>

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "ichdet/core/progress.hpp"
#include "ichdet/models/segmentation_network.hpp"

namespace ichdet::models {

struct MindGrabOptions {
  std::int64_t in_channels = 1;
  std::int64_t num_classes = 2;  ///< other, brain
  std::int64_t channels = 15;
  std::vector<std::int64_t> dilations = {16, 8, 4,  2, 1, 16, 8, 4,  2, 1, 16, 8, 4,
                                         2,  1, 16, 8, 4, 2,  1, 16, 8, 4, 2,  1};

  /// From a bundle's `architecture.options`. Throws Error(weights) naming the key, starting with `subject`.
  static MindGrabOptions from_json(const nlohmann::json& options, const std::string& subject);
};

/// MindGrab (MindGrab for BrainChop, arXiv 2506.11860), a MeshNet as in brainchop-models, meshnet_gn.py: 25
/// convolutions 3 x 3 x 3 without bias, dilated 16, 8, 4, 2, 1 five times, each with instance norm (no scale, no shift)
/// and GELU; at the end 1 x 1 x 1 with bias. Parameters have the same names: `model.0.0.weight` to `model.24.0.weight`,
/// `model.25.*`.
///
/// Input (N, in_channels, D, H, W), logits (N, num_classes, D, H, W). Instance norm sees the whole volume: a part of it
/// gives other results than the whole.
class MindGrabImpl : public SegmentationNetwork {
 public:
  explicit MindGrabImpl(MindGrabOptions options = {});

  /// (N, channels, D, H, W). Throws Error(shape) where the input is not (N, in_channels, D, H, W).
  at::Tensor forward_features(const at::Tensor& x) override;
  at::Tensor forward_head(const at::Tensor& features) override;

  MindGrabOptions options;
  std::vector<torch::nn::Conv3d> blocks;
  torch::nn::Conv3d last{nullptr};
};
TORCH_MODULE(MindGrab);

/// The network's logits of one volume (1, in_channels, D, H, W) in one layer's memory: each layer is computed a few
/// planes of D at a time, and its output takes its input's place. Agrees with `forward` within 1e-4 of the logits'
/// range. About 1.2 GiB for 256 x 256 x 256, where `forward` takes 4. Throws what `forward` does; Error(shape) where N
/// is not 1.
at::Tensor forward_in_slabs(const MindGrabImpl& network, const at::Tensor& x, const Progress& progress = {});

}  // namespace ichdet::models
