#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <vector>

#include "kernels.hpp"

namespace ichdet::models {
class DeepMedicImpl;
}

namespace ichdet::nn {

/// DeepMedic made fast: see prepare.hpp. Activations are float32, channels-last, of one sample.
class PreparedDeepMedic {
 public:
  explicit PreparedDeepMedic(const models::DeepMedicImpl& network);

  /// (1, channels, D, H, W) to logits (1, classes, ...). Throws Error(shape) where the output's size is not a multiple
  /// of every pathway's scale.
  at::Tensor operator()(const at::Tensor& input) const;

 private:
  using Triple = std::array<std::int64_t, 3>;

  struct Block {
    AffinePrelu before;
    at::Tensor weight;  ///< (out, in, 3, 3, 3), channels-last
    at::Tensor bias;    ///< (out)
    bool shortcut = false;
  };
  struct Path {
    Triple scale;
    std::vector<Block> blocks;
    AffinePrelu before_head;
    at::Tensor head_weight;                       ///< (channels, width of the head's first layer)
    std::vector<float> first_weight, first_bias;  ///< for convolve_first; empty: the general convolution
  };
  struct HeadLayer {
    AffinePrelu before;
    at::Tensor weight;  ///< (in, out)
    bool shortcut = false;
  };

  /// Whether the block after `block` adds that block's result to its own.
  static bool feeds_shortcut(const Path& path, std::size_t block);

  /// The pathway's last activations, before the head: (D, H, W, channels), at its own resolution.
  at::Tensor run_path(const Path& path, const at::Tensor& input, const Triple& output) const;

  std::vector<Path> paths_;      ///< the last one at full resolution
  at::Tensor head_bias_;         ///< of the head's first layer
  std::vector<HeadLayer> head_;  ///< the layers after the first
  std::int64_t classes_ = 0;
  Triple step_{};  ///< output sizes are multiples of this
  std::int64_t blocks_ = 0;
};

}  // namespace ichdet::nn
