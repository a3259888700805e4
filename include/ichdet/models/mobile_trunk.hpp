#pragma once

#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/pimpl.h>

#include <cstdint>
#include <vector>

namespace ichdet::models {

enum class Activation2d { relu, relu6, silu };

/// What sets the networks of mobile blocks apart beside their stages.
struct MobileStyle {
  Activation2d activation = Activation2d::silu;
  double squeeze = 0;               ///< width of squeeze and excitation by a block's input channels; 0: none
  bool activate_pointwise = false;  ///< MobileNetV1: also after the last convolution of a block, and no shortcuts
  bool tf_same_padding = false;     ///< as TensorFlow pads: the odd pixel at the end; and its batch norm's epsilon
};

/// Blocks in a row, the first of which has the stride.
struct MobileStage {
  std::int64_t repeats, kernel, stride, expansion, channels;
};

/// Depthwise separable convolution, or with `expansion` above 1 an inverted residual block (MobileNetV2), with squeeze
/// and excitation where wanted. Named as timm's DepthwiseSeparableConv and InvertedResidual.
class MobileBlockImpl : public torch::nn::Module {
 public:
  MobileBlockImpl(std::int64_t in_channels, std::int64_t channels, std::int64_t kernel, std::int64_t stride,
                  std::int64_t expansion, const MobileStyle& style);
  at::Tensor forward(const at::Tensor& x);

  MobileStyle style;
  bool shortcut;
  torch::nn::Conv2d expand{nullptr};  ///< conv_pw; null without expansion
  torch::nn::BatchNorm2d expand_norm{nullptr};
  torch::nn::Conv2d depthwise{nullptr};  ///< conv_dw
  torch::nn::BatchNorm2d depthwise_norm{nullptr};
  torch::nn::Conv2d squeeze{nullptr}, excite{nullptr};  ///< se.conv_reduce, se.conv_expand; or null
  torch::nn::Conv2d project{nullptr};                   ///< conv_pwl, or conv_pw where there is no expansion
  torch::nn::BatchNorm2d project_norm{nullptr};
};
TORCH_MODULE(MobileBlock);

/// A convolution of stride 2 and stages of blocks: what EfficientNet and the MobileNets share. Its layers are children
/// of the network it is made for, under timm's names conv_stem, bn1, blocks.
struct MobileTrunk {
  MobileTrunk(torch::nn::Module& owner, std::int64_t in_channels, std::int64_t stem_channels,
              const std::vector<MobileStage>& stages, const MobileStyle& style);

  /// What each stage gives.
  std::vector<at::Tensor> forward(const at::Tensor& x);
  std::int64_t channels(std::size_t stage) const { return blocks[stage].back()->project->options.out_channels(); }

  MobileStyle style;
  torch::nn::Conv2d conv_stem;
  torch::nn::BatchNorm2d bn1;
  std::vector<std::vector<MobileBlock>> blocks;
};

}  // namespace ichdet::models
