#pragma once

#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>

#include <cstdint>
#include <string>
#include <vector>

namespace ichdet::models {

/// One number for each axis of space, two or three of them, in the order of the tensor's last axes.
using Axes = std::vector<std::int64_t>;
/// As many ones.
Axes ones(const Axes& axes);

/// A convolution, plain or transposed, in as many dimensions as its kernel has. Parameters `weight` and `bias` are
/// those of torch.nn's Conv2d, Conv3d, ConvTranspose2d and ConvTranspose3d. Fresh weights are those of MONAI's and
/// nnU-Net's networks: normal by He for leaky ReLU of slope 0.01, biases 0.
class ConvolutionImpl : public torch::nn::Module {
 public:
  ConvolutionImpl(std::int64_t in_channels, std::int64_t out_channels, const Axes& kernel, Axes stride, Axes padding,
                  bool with_bias, bool transposed = false);
  at::Tensor forward(const at::Tensor& x) const;

  Axes stride, padding, dilation;  ///< `dilation`: ones unless set
  bool transposed;
  at::Tensor weight, bias;  ///< `bias` may be undefined
};
TORCH_MODULE(Convolution);

/// Padded by half the kernel, which is odd.
Convolution convolution(std::int64_t in_channels, std::int64_t out_channels, const Axes& kernel, const Axes& stride,
                        bool with_bias);
/// Makes each pixel or voxel `factor` ones.
Convolution upsampling(std::int64_t in_channels, std::int64_t out_channels, const Axes& factor, bool with_bias);
/// To other channels, each place by itself, with a bias.
Convolution pointwise(std::int64_t in_channels, std::int64_t out_channels, std::size_t dimensions);

enum class NormKind {
  instance,  ///< by the image's own statistics
  batch,     ///< by running statistics in evaluation
};

/// Instance or batch norm with weight and bias, in any number of dimensions. Parameters and buffers are those of
/// torch.nn's modules with `affine` on.
class NormImpl : public torch::nn::Module {
 public:
  static constexpr double usual_momentum = 0.1;

  NormImpl(NormKind kind, std::int64_t channels, double epsilon = 1e-5);
  at::Tensor forward(const at::Tensor& x);

  NormKind kind;
  double epsilon;
  double momentum = usual_momentum;  ///< of the running statistics, in training
  at::Tensor weight, bias;
  at::Tensor running_mean, running_var, num_batches_tracked;  ///< of batch norm, else undefined
};
TORCH_MODULE(Norm);

}  // namespace ichdet::models
