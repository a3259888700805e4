#pragma once

#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "ichdet/models/segmentation_network.hpp"

namespace ichdet::models {

struct InceptionUNetOptions {
  std::int64_t in_channels = 4;
  std::int64_t num_classes = 2;
  std::vector<std::int64_t> filters = {32, 64, 128, 256, 512};  ///< of each level, finest first; multiples of 4

  /// From a bundle's `architecture.options`. Throws Error(weights) naming the key, starting with `subject`.
  static InceptionUNetOptions from_json(const nlohmann::json& options, const std::string& subject);
  /// Throws as from_json.
  void check(const std::string& subject) const;
};

/// Convolution without bias, batch norm, ReLU: `conv`, `norm`.
class ConvNormImpl : public torch::nn::Module {
 public:
  ConvNormImpl(std::int64_t in_channels, std::int64_t out_channels, std::int64_t kernel, std::int64_t stride = 1);
  at::Tensor forward(const at::Tensor& x);

  Convolution conv;
  Norm norm;
};
TORCH_MODULE(ConvNorm);

/// Inception module with dimension reduction (Szegedy et al., CVPR 2015): 1 x 1; 1 x 1 and 3 x 3; 1 x 1 and 5 x 5; 3 x
/// 3 maximum pool and 1 x 1; a quarter of the channels each, joined in this order.
class InceptionModuleImpl : public torch::nn::Module {
 public:
  InceptionModuleImpl(std::int64_t in_channels, std::int64_t out_channels);
  at::Tensor forward(const at::Tensor& x);

  ConvNorm branch1, branch3_reduce, branch3, branch5_reduce, branch5, branch_pool;
};
TORCH_MODULE(InceptionModule);

/// S3's base model: a 2D U-Net whose blocks are Inception modules. The paper states no more than that (its supplement
/// is not public), and the input: stroke, brain and bone windows and the skull-stripped brain. Ours are the five levels
/// of the original U-Net (Ronneberger et al., MICCAI 2015), one module with batch norm in each block, widths, 2 x 2
/// maximum pools and 2 x 2 transposed convolutions, joined as (skip, up), and two logits whose softmax is the pixel's
/// probability. The paper's five models differ by what they were trained on, here by weights.
///
/// Input (N, in_channels, H, W), multiples of 16 for five levels; output (N, num_classes, H, W). Parameters:
/// `encoder.<level>.*`, `ups.<i>.*` and `decoder.<i>.*` coarsest first, `head.*`.
class InceptionUNetImpl : public SegmentationNetwork {
 public:
  explicit InceptionUNetImpl(InceptionUNetOptions options = {});

  at::Tensor forward_features(const at::Tensor& x) override;
  at::Tensor forward_head(const at::Tensor& features) override;

  InceptionUNetOptions options;
  std::vector<InceptionModule> encoder, decoder;
  std::vector<Convolution> ups;
  Convolution head{nullptr};
};
TORCH_MODULE(InceptionUNet);

}  // namespace ichdet::models
