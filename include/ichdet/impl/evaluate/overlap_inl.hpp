#pragma once

#include "ichdet/core/error.hpp"
#include "ichdet/core/volume.hpp"
#include "ichdet/evaluate/overlap.hpp"
#include "ichdet/impl/evaluate/shared.hpp"

namespace ichdet::evaluate {

ICHDET_INLINE Overlap overlap(const Mask& predicted, const Mask& truth) {
  check_shape("predicted mask", truth.shape(), predicted.shape());
  Overlap counts;
  for (std::int64_t i = 0; i < truth.size(); ++i) {
    const bool p = predicted.data()[i] != 0, t = truth.data()[i] != 0;
    counts.predicted += p;
    counts.truth += t;
    counts.both += p && t;
  }
  return counts;
}

ICHDET_INLINE VolumeError volume_error(const Overlap& voxels, const Eigen::Vector3d& spacing_mm) {
  detail::check_spacing(spacing_mm);
  const double voxel_ml = spacing_mm.prod() / 1000;
  return {double(voxels.predicted) * voxel_ml, double(voxels.truth) * voxel_ml};
}

}  // namespace ichdet::evaluate
