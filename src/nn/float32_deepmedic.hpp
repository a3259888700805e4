#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <functional>
#include <vector>

#include "../native/sums.hpp"
#include "fold_deepmedic.hpp"

namespace ichdet::nn {

/// A 3 x 3 x 3 convolution without padding or bias, of (D, H, W, in): every output is given to `take` once, as they
/// come, on any thread.
using ValidConvolution = std::function<void(const at::Tensor&, const native::TakeSums& take)>;
/// A product of (rows, in) with a matrix that stays the same, on one thread.
using RowProduct = std::function<at::Tensor(const at::Tensor&)>;

/// Who multiplies.
struct Multiplies {
  std::function<ValidConvolution(const at::Tensor& weight)> convolution;
  std::function<RowProduct(const at::Tensor& matrix)> product;  ///< of (in, out)
};
const Multiplies& by_libtorch();

/// DeepMedic in float32, channels-last, with everything between the convolutions fused.
class Float32DeepMedic {
 public:
  explicit Float32DeepMedic(FoldedDeepMedic folded, const Multiplies& by = by_libtorch());

  /// (1, channels, D, H, W) to logits (1, classes, ...).
  at::Tensor operator()(const at::Tensor& input) const;
  std::int64_t activation_bytes(at::IntArrayRef input_shape) const;

 private:
  struct Path {
    std::vector<ValidConvolution> convolutions;  ///< of each block; the first may be empty
    RowProduct head;                             ///< the head's first layer's share
    std::vector<float> first_weight;             ///< for convolve_first; empty: the general convolution
  };

  /// The pathway's last activations, before the head: (D, H, W, channels), at its own resolution.
  at::Tensor run_path(std::size_t index, const at::Tensor& input, const std::array<std::int64_t, 3>& output) const;

  FoldedDeepMedic folded_;
  std::vector<Path> paths_;
  std::vector<RowProduct> head_;  ///< of the layers after the first
};

}  // namespace ichdet::nn
