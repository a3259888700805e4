#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <vector>

#include "fold_deepmedic.hpp"

namespace ichdet::nn {

/// DeepMedic in float32 on LibTorch's own convolutions, channels-last, with everything between them fused.
class Float32DeepMedic {
 public:
  explicit Float32DeepMedic(FoldedDeepMedic folded);

  /// (1, channels, D, H, W) to logits (1, classes, ...).
  at::Tensor operator()(const at::Tensor& input) const;
  std::int64_t activation_bytes(at::IntArrayRef input_shape) const;

 private:
  struct Path {
    std::vector<at::Tensor> weights;              ///< of each block: (out, in, 3, 3, 3), channels-last
    std::vector<float> first_weight, first_bias;  ///< for convolve_first; empty: the general convolution
  };

  /// The pathway's last activations, before the head: (D, H, W, channels), at its own resolution.
  at::Tensor run_path(std::size_t index, const at::Tensor& input, const std::array<std::int64_t, 3>& output) const;

  FoldedDeepMedic folded_;
  std::vector<Path> paths_;
  std::vector<at::Tensor> head_weights_;  ///< (in, out), of the layers after the first
};

}  // namespace ichdet::nn
