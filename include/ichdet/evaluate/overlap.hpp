#pragma once

#include <Eigen/Core>
#include <cstdint>

#include "ichdet/core/array.hpp"
#include "ichdet/core/config.hpp"
#include "ichdet/evaluate/proportion.hpp"

namespace ichdet::evaluate {

/// A mask: z, y, x; anything but 0 is inside.
using Mask = Array3<std::uint8_t>;

/// How two masks cover each other, in voxels. With both masks empty the ratios are NaN; with one of them empty Dice and
/// IoU are 0. (MONAI: NaN wherever the truth is empty; with ignore_empty=False 1 if both are.)
struct Overlap {
  std::int64_t predicted = 0, truth = 0, both = 0;

  double dice() const noexcept { return Proportion{2 * both, predicted + truth}.value(); }
  double iou() const noexcept { return Proportion{both, predicted + truth - both}.value(); }
  Proportion sensitivity() const noexcept { return {both, truth}; }
  Proportion precision() const noexcept { return {both, predicted}; }
};

/// Throws Error(shape) where the shapes differ.
Overlap overlap(const Mask& predicted, const Mask& truth);

struct VolumeError {
  double predicted_ml = 0, truth_ml = 0;

  double error_ml() const noexcept { return predicted_ml - truth_ml; }
  /// error / truth; NaN where the truth is empty.
  double relative() const noexcept { return truth_ml > 0 ? error_ml() / truth_ml : undefined; }
};

/// `spacing_mm` of a voxel: x, y, z. Throws Error(options) unless it is above 0.
VolumeError volume_error(const Overlap& voxels, const Eigen::Vector3d& spacing_mm);

}  // namespace ichdet::evaluate

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/evaluate/overlap_inl.hpp"
#endif
