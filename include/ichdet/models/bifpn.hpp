#pragma once

#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/pimpl.h>

#include <vector>

#include "ichdet/models/mobile_trunk.hpp"

namespace ichdet::models {

/// A map brought to another level: to as many channels where they differ, then up-sampled (nearest) or max-pooled.
class FpnResampleImpl : public torch::nn::Module {
 public:
  /// `levels`: how many to go, coarser being positive: -1, 0 or 1.
  FpnResampleImpl(std::int64_t in_channels, std::int64_t channels, int levels, bool tf_same_padding);
  /// `size`: height and width of a map of the level to go to; read where that is the finer one.
  at::Tensor forward(const at::Tensor& x, at::IntArrayRef size);

  int levels;
  bool tf_same_padding;
  torch::nn::Conv2d conv{nullptr};     ///< conv.conv, or null
  torch::nn::BatchNorm2d bn{nullptr};  ///< conv.bn
};
TORCH_MODULE(FpnResample);

/// Maps of two or three levels brought to one, summed with learned weights (fast normalised fusion), activated,
/// convolved depthwise and pointwise.
class FpnNodeImpl : public torch::nn::Module {
 public:
  FpnNodeImpl(std::size_t level, std::vector<std::size_t> inputs, const std::vector<std::int64_t>& input_channels,
              std::int64_t channels, bool tf_same_padding);
  /// `maps`: all that there are so far, of which `inputs` are read.
  at::Tensor forward(const std::vector<at::Tensor>& maps);

  std::size_t level;                ///< 0 is the finest; the map of that number has its size
  std::vector<std::size_t> inputs;  ///< numbers of maps: 0 to 4 enter the layer, node i gives map 5 + i
  std::vector<FpnResample> resample;
  at::Tensor edge_weights;
  torch::nn::Conv2d depthwise{nullptr}, pointwise{nullptr};
  torch::nn::BatchNorm2d bn{nullptr};
};
TORCH_MODULE(FpnNode);

/// BiFPN (Tan, Pang and Le, CVPR 2020) of EfficientDet-D0: three layers of eight nodes over five levels, 64 channels.
/// Parameters are named as effdet 0.4.1's `fpn`.
class BiFpnImpl : public torch::nn::Module {
 public:
  BiFpnImpl(const std::vector<std::int64_t>& input_channels, bool tf_same_padding);
  /// Three maps, each half as large as the one before (rounded up), to five of 64 channels.
  std::vector<at::Tensor> forward(std::vector<at::Tensor> maps);

  std::vector<FpnResample> resample;        ///< that make the two coarsest levels
  std::vector<std::vector<FpnNode>> cells;  ///< cell.0.fnode.0, ...
};
TORCH_MODULE(BiFpn);

/// EfficientNet-B0's stages without a head, as timm's `features_only`.
class EfficientNetStagesImpl : public torch::nn::Module {
 public:
  EfficientNetStagesImpl(std::int64_t in_channels, bool tf_same_padding);
  /// Three maps at 1/8, 1/16 and 1/32 of the image: 40, 112, 320 channels.
  std::vector<at::Tensor> forward(const at::Tensor& x);

  MobileTrunk trunk;
};
TORCH_MODULE(EfficientNetStages);

/// EfficientDet-D0 without its box and class heads: effdet 0.4.1's `efficientdet_d0`, with TensorFlow's padding
/// `tf_efficientdet_d0`.
class EfficientDetImpl : public torch::nn::Module {
 public:
  EfficientDetImpl(std::int64_t in_channels, bool tf_same_padding);
  /// (N, in_channels, H, W) to five maps of 64 channels, at 1/8 to 1/128 of the image, rounded up.
  std::vector<at::Tensor> forward(const at::Tensor& x);

  EfficientNetStages backbone;
  BiFpn fpn;
};
TORCH_MODULE(EfficientDet);

}  // namespace ichdet::models
