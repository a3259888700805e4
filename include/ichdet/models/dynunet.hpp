#pragma once

#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "ichdet/models/segmentation_network.hpp"
#include "ichdet/models/viola_attention.hpp"

namespace ichdet::models {

/// As MONAI's arguments of the same names; the defaults are those of the nnU-Net in VIOLA-AI (S2). The first and last
/// kernel and stride belong to the input block and the bottleneck.
struct DynUNetOptions {
  std::int64_t in_channels = 3;
  std::int64_t out_channels = 2;
  std::vector<Axes> kernel_size = {{3, 3, 1}, {3, 3, 1}, {3, 3, 1}, {3, 3, 3},
                                   {3, 3, 3}, {3, 3, 3}, {3, 3, 3}};  ///< odd
  std::vector<Axes> strides = {{1, 1, 1}, {2, 2, 1}, {2, 2, 1}, {2, 2, 2}, {2, 2, 2}, {2, 2, 1}, {1, 1, 1}};
  std::vector<Axes> upsample_kernel_size;  ///< equal to the strides but the first, and so may be left out
  std::vector<std::int64_t> filters = {32, 64, 96, 128, 192, 256, 320};
  NormKind norm = NormKind::instance;
  double negative_slope = 0.01;  ///< of the leaky ReLU
  bool res_block = true;
  bool trans_bias = true;
  bool deep_supervision = true;
  std::int64_t deep_supr_num = 4;  ///< heads beside the output, where there is deep supervision
  /// ViolaUnet's: channels of the decoder, finest first (empty: `filters`), and attention in front of its blocks.
  std::vector<std::int64_t> dec_filters;
  bool viola_att = false;

  /// From a bundle's `architecture.options`; an axis-by-axis list may be one number, `norm` is "instance" or "batch".
  /// With `strides` given, the others' defaults are MONAI's.
  /// Throws Error(weights) naming the key, starting with `subject`.
  static DynUNetOptions from_json(const nlohmann::json& options, const std::string& subject);
  /// Fills in what may be left out. Throws as from_json where a value is out of range or two contradict each other.
  void complete(const std::string& subject);
};

/// Two convolutions, each with norm and activation: MONAI's UnetBasicBlock. Residual: UnetResBlock, which adds the
/// input before the last activation, through `conv3` and `norm3` where channels or size differ.
class DynBlockImpl : public torch::nn::Module {
 public:
  DynBlockImpl(std::int64_t in_channels, std::int64_t out_channels, const Axes& kernel, const Axes& stride,
               bool residual, const DynUNetOptions& options);
  at::Tensor forward(const at::Tensor& x);

  Convolution conv1, conv2, conv3{nullptr};
  Norm norm1, norm2, norm3{nullptr};
  bool residual;
  double negative_slope;
};
TORCH_MODULE(DynBlock);

/// A transposed convolution, the skip connection beside it, and a basic block: MONAI's UnetUpBlock. With attention that
/// of Viola-Unet, where the skip connection comes first.
class DynUpBlockImpl : public torch::nn::Module {
 public:
  DynUpBlockImpl(std::int64_t in_channels, std::int64_t skip_channels, std::int64_t out_channels, const Axes& kernel,
                 const Axes& factor, const DynUNetOptions& options);
  at::Tensor forward(const at::Tensor& x, const at::Tensor& skip);
  /// What the attention, or without it the block, reads.
  at::Tensor join(const at::Tensor& x, const at::Tensor& skip);

  Convolution transp_conv;
  ViolaAttention canc_att{nullptr};
  DynBlock conv_block{nullptr};
};
TORCH_MODULE(DynUpBlock);

/// DynUNet, MONAI's form of nnU-Net (Isensee et al., Nature Methods 18, 2021), as in MONAI 1.6.1, in two or three
/// dimensions. Parameters have MONAI's names; of those that MONAI's state dict repeats under `skip_layers`, the repeats
/// are left out. Dropout, which does nothing in evaluation, is not there.
///
/// Input (N, in_channels, space), each size a multiple of the product of all strides along its axis; output
/// (N, out_channels, space / strides[0]).
class DynUNetImpl : public SegmentationNetwork {
 public:
  explicit DynUNetImpl(DynUNetOptions options = {});

  /// What the output block reads.
  at::Tensor forward_features(const at::Tensor& x) override;
  at::Tensor forward_head(const at::Tensor& features) override;
  std::vector<at::Tensor> forward_deep(const at::Tensor& x) override;

  DynUNetOptions options;
  std::vector<DynBlock> downs;  ///< `input_block`, `downsamples.0`, ..., `bottleneck`
  std::vector<DynUpBlock> upsamples;
  Convolution output_block{nullptr};
  std::vector<Convolution> deep_supervision_heads;  ///< next to finest first

 protected:
  std::string own_name(const std::string& name) const override;
  /// The outputs of `downs`, finest first.
  std::vector<at::Tensor> encode(const at::Tensor& x);
  /// The outputs of `upsamples`, coarsest first.
  std::vector<at::Tensor> decode(const std::vector<at::Tensor>& encoded);
};
TORCH_MODULE(DynUNet);

}  // namespace ichdet::models
