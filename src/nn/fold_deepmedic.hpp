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

/// One PreActBlock with batch norm folded: affine and PReLU, convolution, and the input's middle added.
struct FoldedBlock {
  AffinePrelu before;
  at::Tensor weight;  ///< (out, in, k, k, k)
  at::Tensor bias;    ///< (out), of the constant channels that were dropped
  bool shortcut = false;

  std::int64_t in() const { return weight.size(1); }
  std::int64_t out() const { return weight.size(0); }
};

struct FoldedPath {
  std::array<std::int64_t, 3> scale;
  std::vector<FoldedBlock> blocks;
  AffinePrelu before_head;
  at::Tensor head_weight;  ///< (channels, width of the head's first layer)

  /// Whether the block after `block` adds that block's result to its own.
  bool feeds_shortcut(std::size_t block) const { return block + 1 < blocks.size() && blocks[block + 1].shortcut; }

  /// Every scale-th voxel of the middle of `input` (1, channels, D, H, W), as this path needs for an output of that
  /// size: (channels, D', H', W'), a view.
  at::Tensor sample(const at::Tensor& input, const std::array<std::int64_t, 3>& output) const;
};

/// DeepMedic as every prepared form of it needs it: float32, batch norm folded, and without the channels that a zero
/// batch norm scale makes constant. The head's first layer is linear in its activations, each of which belongs to one
/// pathway: it is split among them, so that a coarse pathway's part is computed at its own resolution and looked up.
struct FoldedDeepMedic {
  /// Throws Error(options) where the last pathway is not at full resolution, or the network is otherwise unlike
  /// DeepMedic.
  explicit FoldedDeepMedic(const models::DeepMedicImpl& network);

  /// Of the logits. Throws Error(shape) where `input` is not (1, channels, D, H, W), or the output's size is not a
  /// multiple of every pathway's scale.
  std::array<std::int64_t, 3> output_size(const at::Tensor& input) const;

  std::vector<FoldedPath> paths;  ///< the last one at full resolution
  at::Tensor head_bias;           ///< of the head's first layer
  std::vector<FoldedBlock> head;  ///< the layers after the first
  std::int64_t classes = 0;
};

/// With the channels of the pathways and between the head's layers filled up with zeros, to multiples of `multiple`.
FoldedDeepMedic filled_up(FoldedDeepMedic folded, std::int64_t multiple);

}  // namespace ichdet::nn
