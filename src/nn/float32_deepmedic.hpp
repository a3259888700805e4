#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <functional>
#include <vector>

#include "fold_deepmedic.hpp"

namespace ichdet::nn {

/// A 3 x 3 x 3 convolution without padding, of (D, H, W, in).
using ValidConvolution = std::function<at::Tensor(const at::Tensor&)>;
/// Makes one of a weight (out, in, 3, 3, 3) and a bias (out).
using MakeConvolution = std::function<ValidConvolution(const at::Tensor&, const at::Tensor&)>;

ValidConvolution libtorch_convolution(const at::Tensor& weight, const at::Tensor& bias);

/// DeepMedic in float32, channels-last, with everything between the convolutions fused.
class Float32DeepMedic {
 public:
  explicit Float32DeepMedic(FoldedDeepMedic folded, const MakeConvolution& make = libtorch_convolution);

  /// (1, channels, D, H, W) to logits (1, classes, ...).
  at::Tensor operator()(const at::Tensor& input) const;
  std::int64_t activation_bytes(at::IntArrayRef input_shape) const;

 private:
  struct Path {
    std::vector<ValidConvolution> convolutions;   ///< of each block; the first may be empty
    std::vector<float> first_weight, first_bias;  ///< for convolve_first; empty: the general convolution
  };

  /// The pathway's last activations, before the head: (D, H, W, channels), at its own resolution.
  at::Tensor run_path(std::size_t index, const at::Tensor& input, const std::array<std::int64_t, 3>& output) const;

  FoldedDeepMedic folded_;
  std::vector<Path> paths_;
  std::vector<at::Tensor> head_weights_;  ///< (in, out), of the layers after the first
};

}  // namespace ichdet::nn
