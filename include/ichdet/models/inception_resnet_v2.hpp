#pragma once

#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/pimpl.h>

#include <vector>

#include "ichdet/models/classifier.hpp"

namespace ichdet::models {

/// Shape of a convolution of Inception-ResNet-V2.
struct InceptionConv {
  std::int64_t channels, height, width, stride;
  bool padded;  ///< by half the kernel; else valid
};

/// Convolution, batch norm, ReLU.
class ConvNormReluImpl : public torch::nn::Module {
 public:
  ConvNormReluImpl(std::int64_t in_channels, const InceptionConv& shape);
  at::Tensor forward(const at::Tensor& x);

  torch::nn::Conv2d conv;
  torch::nn::BatchNorm2d bn;
};
TORCH_MODULE(ConvNormRelu);

struct InceptionBlockOptions {
  std::vector<std::vector<InceptionConv>> branches;
  bool average_last = false;  ///< the last branch sees 3 x 3 averages
  bool max_pool = false;      ///< one more branch: 3 x 3 maxima, stride 2
  double scale = 0;           ///< of the branches' sum with the input; 0: the branches themselves, concatenated
  bool activate = true;       ///< ReLU after that sum
};

/// Branches of convolutions over the same input: Mixed_5b to Mixed_7a, and with a shortcut Block35, Block17 and Block8.
class InceptionBlockImpl : public torch::nn::Module {
 public:
  InceptionBlockImpl(std::int64_t in_channels, InceptionBlockOptions options);
  at::Tensor forward(const at::Tensor& x);

  InceptionBlockOptions options;
  std::int64_t out_channels = 0;
  std::vector<std::vector<ConvNormRelu>> branches;
  torch::nn::Conv2d conv2d{nullptr};  ///< to the input's channels; null without shortcut
};
TORCH_MODULE(InceptionBlock);

/// Inception-ResNet-V2 (Szegedy et al., AAAI 2017). Parameters are named as in timm's `inception_resnet_v2`. Input
/// (N, in_chans, H, W), at least 75 x 75 (published for 299 x 299), features (N, 1536, h, w).
class InceptionResNetV2Impl : public Classifier {
 public:
  explicit InceptionResNetV2Impl(ClassifierOptions options = {});

  at::Tensor forward_features(const at::Tensor& x) override;
  at::Tensor forward_pool(const at::Tensor& features) override;

  std::vector<ConvNormRelu> stem;      ///< conv2d_1a, 2a, 2b, and after a pooling 3b, 4a
  std::vector<InceptionBlock> blocks;  ///< mixed_5b to block8, in order
  ConvNormRelu last{nullptr};          ///< conv2d_7b
};
TORCH_MODULE(InceptionResNetV2);

}  // namespace ichdet::models
