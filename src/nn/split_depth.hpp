#pragma once

#include <cstdint>
#include <vector>

#include "onednn.hpp"

namespace ichdet::nn {

/// True for 3D convolutions whose dilated depth makes oneDNN's bfloat16 kernel slow: with AMX, 15 channels, 48^3 and
/// dilation 16, 39 ms where float32 takes 5.
bool splits_depth(const Convolution& convolution, at::ScalarType type);

/// A convolution with depth dilation d as one without, over d interleaved volumes: slices 0, d, 2d, … then 1, d + 1, …
/// The same products are summed.
class SplitDepth {
 public:
  SplitDepth() = default;
  SplitDepth(const Convolution& convolution, const std::vector<std::int64_t>& input_size);

  Convolution inner(Convolution convolution) const;
  std::vector<std::int64_t> inner_size(std::vector<std::int64_t> input_size) const;
  at::Tensor split(const at::Tensor& x) const;
  at::Tensor join(const at::Tensor& x) const;

 private:
  std::int64_t dilation_ = 1, before_ = 0, after_ = 0, output_ = 0;
};

}  // namespace ichdet::nn
