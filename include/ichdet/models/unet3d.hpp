#pragma once

#include <torch/nn/modules/conv.h>
#include <torch/nn/pimpl.h>

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "ichdet/models/segmentation_network.hpp"

namespace ichdet::models {

/// As MONAI's arguments of the same names, for `spatial_dims` 3. The defaults are a small network, for skull strip at
/// 2 mm.
struct UNet3DOptions {
  enum class Act { prelu, relu, leakyrelu };
  std::int64_t in_channels = 1;
  std::int64_t out_channels = 2;
  std::vector<std::int64_t> channels = {8, 16, 32, 64};
  std::vector<Axes> strides = {{2, 2, 2}, {2, 2, 2}, {2, 2, 2}};
  std::int64_t kernel_size = 3, up_kernel_size = 3;  ///< odd
  std::int64_t num_res_units = 0;
  Act act = Act::prelu;
  double negative_slope = 0.01;  ///< of leakyrelu
  NormKind norm = NormKind::instance;
  bool affine = false;  ///< whether norm has weight and bias; always of batch norm
  bool bias = true;

  /// From a bundle's `architecture.options`; `act` is "prelu", "relu" or "leakyrelu", `norm` "instance" or "batch".
  /// Throws Error(weights) naming the key, starting with `subject`.
  static UNet3DOptions from_json(const nlohmann::json& options, const std::string& subject);
};

/// Convolution, plain or transposed, then, unless `bare`, norm and activation: MONAI's Convolution.
class UNetConvolutionImpl : public torch::nn::Module {
 public:
  UNetConvolutionImpl(std::int64_t in_channels, std::int64_t out_channels, std::int64_t kernel, const Axes& stride,
                      bool transposed, bool bare, const UNet3DOptions& options);
  at::Tensor forward(const at::Tensor& x);

  torch::nn::Conv3d conv{nullptr};
  torch::nn::ConvTranspose3d transposed{nullptr};  ///< one of the two, as `conv`
  Norm norm{nullptr};                              ///< none: instance norm without weight and bias
  at::Tensor slope;                                ///< PReLU's
  bool bare;
  UNet3DOptions::Act act;
  double negative_slope;
};
TORCH_MODULE(UNetConvolution);

/// Convolutions in a row and the input, through a convolution where channels or size differ, added to their output:
/// MONAI's ResidualUnit.
class UNetResidualImpl : public torch::nn::Module {
 public:
  /// `last_bare`: the last convolution is without norm and activation.
  UNetResidualImpl(std::int64_t in_channels, std::int64_t out_channels, const Axes& stride, std::int64_t units,
                   bool last_bare, const UNet3DOptions& options);
  at::Tensor forward(const at::Tensor& x);

  std::vector<UNetConvolution> units;
  torch::nn::Conv3d residual{nullptr};
};
TORCH_MODULE(UNetResidual);

/// MONAI 1.6.1's UNet in three dimensions (Kerfoot et al., STACOM 2018): strided convolutions down, transposed ones up.
/// Parameters have MONAI's names. Dropout, which does nothing in evaluation, is not there.
///
/// Input (N, in_channels, D, H, W), each size a multiple of the product of the strides along its axis; logits
/// (N, out_channels, D, H, W). Memory of a call: about 2 · channels[0] values for each output voxel, 34 MiB for
/// 96 x 96 x 96 and the default options.
class UNet3DImpl : public SegmentationNetwork {
 public:
  explicit UNet3DImpl(UNet3DOptions options = {});

  /// What the topmost up-sampling layer reads.
  at::Tensor forward_features(const at::Tensor& x) override;
  at::Tensor forward_head(const at::Tensor& features) override;

  /// What a level does on its way down or up: a convolution, residual units, or one after the other.
  struct Layer {
    UNetConvolution convolution{nullptr};
    UNetResidual residual{nullptr};
    at::Tensor operator()(const at::Tensor& x);
  };

  UNet3DOptions options;
  std::vector<Layer> downs, ups;  ///< finest first; the last of `downs` is the bottom
};
TORCH_MODULE(UNet3D);

}  // namespace ichdet::models
