#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <vector>

#include "ichdet/models/segmentation_network.hpp"

namespace ichdet::models {

/// As the arguments of the same names in dynamic-network-architectures, which nnU-Net's plans.json holds. The defaults
/// make a small network; a plan states them all.
struct NnUNetOptions {
  std::int64_t input_channels = 1;
  std::int64_t num_classes = 2;
  std::vector<std::int64_t> features_per_stage = {32, 64, 128};
  std::vector<Axes> kernel_sizes = {{3, 3, 3}, {3, 3, 3}, {3, 3, 3}};  ///< odd; of two or three axes
  std::vector<Axes> strides = {{1, 1, 1}, {2, 2, 2}, {2, 2, 2}};
  std::vector<std::int64_t> n_per_stage = {2, 2, 2};  ///< `n_conv_per_stage`, of residual encoders `n_blocks_per_stage`
  std::vector<std::int64_t> n_conv_per_stage_decoder = {2, 2};
  bool conv_bias = true;
  NormKind norm = NormKind::instance;
  double norm_eps = 1e-5;
  double negative_slope = 0.01;  ///< of the leaky ReLU
  bool nonlin_first = false;     ///< activation before norm
  bool residual = false;         ///< the encoder's blocks: ResidualEncoderUNet

  /// Throws Error(weights) naming the key, starting with `subject`, where a value is out of range or two contradict
  /// each other.
  void check(const std::string& subject) const;
};

struct PlainConvUNetOptions : NnUNetOptions {
  /// From a bundle's `architecture.options`; a list by stage or axis may be one number, `norm` is "instance" or
  /// "batch".
  static PlainConvUNetOptions from_json(const nlohmann::json& options, const std::string& subject);
};
struct ResidualEncoderUNetOptions : NnUNetOptions {
  ResidualEncoderUNetOptions() { residual = true; }
  static ResidualEncoderUNetOptions from_json(const nlohmann::json& options, const std::string& subject);
};

/// Convolution, norm and, unless `linear`, activation: ConvDropoutNormReLU.
class NnLayerImpl : public torch::nn::Module {
 public:
  NnLayerImpl(std::int64_t in_channels, std::int64_t out_channels, const Axes& kernel, const Axes& stride, bool bias,
              bool linear, const NnUNetOptions& options);
  at::Tensor forward(const at::Tensor& x);

  Convolution conv;
  Norm norm;
  bool linear, nonlin_first;
  double negative_slope;
};
TORCH_MODULE(NnLayer);

/// Residual block of ResNet-D: BasicBlockD. The input comes back through average pooling and a 1 x 1 (x 1) convolution,
/// each where it is needed.
class NnResidualImpl : public torch::nn::Module {
 public:
  NnResidualImpl(std::int64_t in_channels, std::int64_t out_channels, const Axes& kernel, const Axes& stride,
                 const NnUNetOptions& options);
  at::Tensor forward(const at::Tensor& x);

  NnLayer conv1, conv2, skip{nullptr};
  Axes stride;
  double negative_slope;
};
TORCH_MODULE(NnResidual);

/// The networks of nnU-Net v2 (Isensee et al., Nature Methods 18, 2021; MICCAI 2024 for the residual encoder), as
/// PlainConvUNet and ResidualEncoderUNet of dynamic-network-architectures 0.4.4, in two or three dimensions. Parameters
/// have their names; the repeats under `all_modules` and `decoder.encoder` are left out. Heads for deep supervision are
/// always there, as in theirs. Dropout, which does nothing in evaluation, is not.
///
/// Input (N, input_channels, space), each size a multiple of the product of all strides along its axis; output
/// (N, num_classes, space / strides[0]).
class NnUNetImpl : public SegmentationNetwork {
 public:
  explicit NnUNetImpl(NnUNetOptions options = {});

  /// The decoder's last map.
  at::Tensor forward_features(const at::Tensor& x) override;
  at::Tensor forward_head(const at::Tensor& features) override;
  std::vector<at::Tensor> forward_deep(const at::Tensor& x) override;

  NnUNetOptions options;
  std::vector<NnLayer> stem;                             ///< of residual encoders
  std::vector<std::vector<NnLayer>> plain_stages;        ///< or
  std::vector<std::vector<NnResidual>> residual_stages;  ///< of the encoder, finest first
  std::vector<Convolution> transpconvs;                  ///< coarsest first, as the two below
  std::vector<std::vector<NnLayer>> stages;
  std::vector<Convolution> seg_layers;

 protected:
  std::string own_name(const std::string& name) const override;

 private:
  void make_encoder();
  void make_decoder();
  /// The decoder's maps, coarsest first.
  std::vector<at::Tensor> decoded(const at::Tensor& x);
};
TORCH_MODULE(NnUNet);

}  // namespace ichdet::models
