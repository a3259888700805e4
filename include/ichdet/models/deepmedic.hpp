#pragma once

#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/pimpl.h>

#include <array>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "ichdet/nn/network.hpp"

namespace ichdet::models {

using Triple = std::array<std::int64_t, 3>;

struct DeepMedicOptions {
  std::int64_t input_channels = 1;
  std::int64_t num_classes = 5;
  std::vector<Triple> scale_factors = {{5, 5, 5}, {3, 3, 3}, {1, 1, 1}};  ///< z, y, x; each at most the one before it
  std::vector<std::int64_t> feature_maps = {30, 30, 40, 40, 40, 40, 50, 50};
  std::vector<std::int64_t> fully_connected = {250, 250};

  /// From a bundle's `architecture.options`. Throws Error(weights) naming the key, starting with `subject`.
  static DeepMedicOptions from_json(const nlohmann::json& options, const std::string& subject);
};

/// Batch norm, PReLU with one slope, valid convolution without bias, and where the channels stay as many, the input's
/// middle added. (N, C, D, H, W) to (N, C', D - k + 1, ...).
class PreActBlockImpl : public torch::nn::Module {
 public:
  PreActBlockImpl(std::int64_t in_channels, std::int64_t out_channels, std::int64_t kernel);
  at::Tensor forward(const at::Tensor& x);

  torch::nn::BatchNorm3d bn;
  torch::nn::Conv3d conv;
  torch::nn::PReLU prelu;
};
TORCH_MODULE(PreActBlock);

/// One pathway: every `scale`-th voxel, eight blocks, and each result repeated `scale` times.
class DeepMedicPathImpl : public torch::nn::Module {
 public:
  DeepMedicPathImpl(const Triple& scale, std::int64_t input_channels, const std::vector<std::int64_t>& feature_maps);
  /// The middle of `x` that it needs for an output of `output_size`.
  at::Tensor forward(const at::Tensor& x, const Triple& output_size);

  Triple scale;
  std::vector<PreActBlock> blocks;
};
TORCH_MODULE(DeepMedicPath);

/// DeepMedic (Kamnitsas et al., Medical Image Analysis 36, 2017) as in blast-ct 2.1.0, models/deepmedic.py, in
/// evaluation: dropout does nothing and is left out. Parameters have the same names, so its weights load by name.
///
/// Input (N, channels, D, H, W), output logits (N, classes, D - 80, H - 80, W - 80) for the default options. The
/// result at a place depends on the tile only through its offset modulo 15 (the subsampled pathways' phase).
class DeepMedicImpl : public Network {
 public:
  explicit DeepMedicImpl(DeepMedicOptions options = {});

  /// What enters the head: (N, pathways x last feature maps, output size). Throws Error(shape) where the input is not
  /// (N, channels, D, H, W) or its size is none that the network takes.
  at::Tensor forward_features(const at::Tensor& x) override;
  at::Tensor forward_head(const at::Tensor& features) override;

  /// Throws Error(shape) where the network does not take this size.
  Triple output_size(const Triple& input_size) const;
  Triple input_size(const Triple& output_size) const;

  DeepMedicOptions options;
  std::vector<DeepMedicPath> paths;
  std::vector<PreActBlock> head;
};
TORCH_MODULE(DeepMedic);

}  // namespace ichdet::models
