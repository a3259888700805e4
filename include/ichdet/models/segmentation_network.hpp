#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ichdet/models/convolution.hpp"
#include "ichdet/nn/network.hpp"

namespace ichdet::models {

/// A network that says what each pixel or voxel shows: (N, in_channels, space) to logits (N, num_classes, space).
class SegmentationNetwork : public Network {
 public:
  /// `multiple_of`: sizes that the network takes, along each axis of space.
  SegmentationNetwork(std::int64_t in_channels, std::int64_t num_classes, Axes multiple_of);

  /// Logits of all heads, finest first, each at its own size: what deep supervision learns from. The first is
  /// forward's.
  virtual std::vector<at::Tensor> forward_deep(const at::Tensor& x);

  /// Drops the second and third names under which a checkpoint holds a tensor. Throws Error(weights) that names both
  /// where two names' tensors differ.
  void rename_published(StateDict& weights) const override;

  std::int64_t in_channels, num_classes;
  Axes multiple_of;

 protected:
  /// The parameter's own name for one of its other names in published files; else the name itself.
  virtual std::string own_name(const std::string& name) const { return name; }

  /// Throws Error(shape) unless `x` is (N, in_channels, space) of sizes that the network takes.
  void expect_input(const at::Tensor& x, const char* network) const;
};

/// As MONAI's DynUNet gives its heads in training: (N, heads, num_classes, space), the coarser ones repeated (nearest
/// neighbour) to the first one's size.
at::Tensor stack_heads(const std::vector<at::Tensor>& heads);

}  // namespace ichdet::models
