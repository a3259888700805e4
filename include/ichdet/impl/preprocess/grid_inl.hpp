#pragma once

#include <algorithm>
#include <cmath>

#include "ichdet/core/error.hpp"
#include "ichdet/preprocess/grid.hpp"

namespace ichdet {

ICHDET_INLINE Geometry segmentation_grid(const SliceGeometry& slices, const Eigen::Vector3d& spacing_mm) {
  const auto& first = slices.planes().front();
  Eigen::Matrix4d affine = Eigen::Matrix4d::Identity();
  affine.topLeftCorner<3, 3>() << first.along_row, first.along_column, slices.normal();
  const Eigen::Matrix3d axes = Geometry({1, 1, 1}, affine).reoriented_to_lps().direction();

  // The box along those axes, in mm from the first pixel, that holds every pixel's centre.
  Eigen::Vector3d low = Eigen::Vector3d::Zero();
  Eigen::Vector3d high = Eigen::Vector3d::Zero();
  for (const auto& plane : slices.planes()) {
    const Eigen::Vector3d last = plane.to_lps(double(slices.rows() - 1), double(slices.columns() - 1));
    for (const Eigen::Vector3d& corner : {plane.position_mm, last}) {
      const Eigen::Vector3d at = axes.transpose() * (corner - first.position_mm);
      low = low.cwiseMin(at);
      high = high.cwiseMax(at);
    }
  }

  Geometry::Size size{};
  constexpr double most_voxels = 2147483648.0;  // 8 GiB of HU: slices that lie kilometres apart are no head
  double voxels = ((high - low).array() / spacing_mm.array() + 1.0).prod();
  if (slices.count() == 1) voxels *= std::max(1.0, first.thickness_mm / spacing_mm.minCoeff());
  if (!(voxels <= most_voxels)) {
    throw Error::mismatch(ErrorCode::limit, "segmentation grid", "at most 2^31 voxels", std::to_string(voxels));
  }
  for (int axis = 0; axis < 3; ++axis) {
    // Half to even as Python's round, once the positions' own rounding noise is taken off.
    const double samples = (high[axis] - low[axis]) / spacing_mm[axis] + 1.0;
    size[axis] = std::int64_t(std::nearbyint(std::round(samples * 1e6) / 1e6));
  }
  if (slices.count() == 1) {
    Eigen::Index through = 0;
    (axes.transpose() * slices.normal()).cwiseAbs().maxCoeff(&through);
    size[through] = std::max<std::int64_t>(1, std::int64_t(std::nearbyint(first.thickness_mm / spacing_mm[through])));
    low[through] -= double(size[through] - 1) * spacing_mm[through] / 2;
  }
  affine.topLeftCorner<3, 3>() = axes * spacing_mm.asDiagonal();
  affine.topRightCorner<3, 1>() = first.position_mm + axes * low;
  return Geometry(size, affine, slices.frame_of_reference_uid());
}

}  // namespace ichdet
