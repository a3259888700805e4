#pragma once

#include <Eigen/LU>
#include <cmath>
#include <sstream>
#include <utility>

#include "ichdet/core/error.hpp"
#include "ichdet/core/geometry.hpp"

namespace ichdet {

ICHDET_INLINE Geometry::Geometry(const Size& size_xyz, const Eigen::Matrix4d& index_to_lps,
                                 std::string frame_of_reference_uid)
    : size_(size_xyz), affine_(index_to_lps), frame_of_reference_uid_(std::move(frame_of_reference_uid)) {
  for (const auto n : size_) {
    if (n < 1) throw Error::mismatch(ErrorCode::geometry, "grid size", "at least 1 voxel per axis", std::to_string(n));
  }
  if (!affine_.allFinite()) throw Error(ErrorCode::geometry, "affine: expected finite numbers, found NaN or infinity");
  const double volume = std::abs(affine_.topLeftCorner<3, 3>().determinant());
  if (volume < 1e-12) {
    throw Error::mismatch(ErrorCode::geometry, "affine", "three independent axes",
                          "a voxel of " + std::to_string(volume) + " mm3");
  }
  inverse_ = affine_.inverse();
}

ICHDET_INLINE Geometry Geometry::aligned(const Size& size_xyz, const Eigen::Vector3d& spacing_mm,
                                         const Eigen::Vector3d& origin_mm) {
  Eigen::Matrix4d affine = Eigen::Matrix4d::Identity();
  affine.topLeftCorner<3, 3>() = spacing_mm.asDiagonal();
  affine.topRightCorner<3, 1>() = origin_mm;
  return Geometry(size_xyz, affine);
}

ICHDET_INLINE Eigen::Vector3d Geometry::spacing_mm() const {
  return affine_.topLeftCorner<3, 3>().colwise().norm().transpose();
}

ICHDET_INLINE Eigen::Vector3d Geometry::origin_mm() const { return affine_.topRightCorner<3, 1>(); }

ICHDET_INLINE Eigen::Matrix3d Geometry::direction() const {
  return affine_.topLeftCorner<3, 3>() * spacing_mm().cwiseInverse().asDiagonal();
}

ICHDET_INLINE double Geometry::voxel_ml() const {
  return std::abs(affine_.topLeftCorner<3, 3>().determinant()) / 1000.0;
}

ICHDET_INLINE Eigen::Vector3d Geometry::to_lps(const Eigen::Vector3d& index_xyz) const {
  return affine_.topLeftCorner<3, 3>() * index_xyz + affine_.topRightCorner<3, 1>();
}

ICHDET_INLINE Eigen::Vector3d Geometry::to_index(const Eigen::Vector3d& lps_mm) const {
  return inverse_.topLeftCorner<3, 3>() * lps_mm + inverse_.topRightCorner<3, 1>();
}

ICHDET_INLINE Geometry Geometry::crop(const Size& first_xyz, const Size& size_xyz) const {
  Eigen::Matrix4d affine = affine_;
  affine.topRightCorner<3, 1>() = to_lps({double(first_xyz[0]), double(first_xyz[1]), double(first_xyz[2])});
  return Geometry(size_xyz, affine, frame_of_reference_uid_);
}

ICHDET_INLINE Geometry Geometry::with_spacing(const Eigen::Vector3d& spacing_mm) const {
  if (!(spacing_mm.array() > 0).all()) throw Error(ErrorCode::options, "spacing: expected positive millimetres");
  const Eigen::Vector3d old = this->spacing_mm();
  Size size{};
  for (int axis = 0; axis < 3; ++axis) {
    // nearbyint: half to even, as Python's round.
    size[axis] = std::int64_t(std::nearbyint(double(size_[axis] - 1) * old[axis] / spacing_mm[axis] + 1.0));
  }
  Eigen::Matrix4d affine = affine_;
  affine.topLeftCorner<3, 3>() = direction() * spacing_mm.asDiagonal();
  return Geometry(size, affine, frame_of_reference_uid_);
}

ICHDET_INLINE Geometry Geometry::reoriented_to_lps() const {
  const Eigen::Matrix3d axes = direction().cwiseAbs();
  // Of the six ways to assign our axes to L, P, S, the one that is most parallel.
  constexpr int orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
  const int* best = orders[0];
  double best_score = -1;
  for (const auto& order : orders) {
    const double score = axes(0, order[0]) + axes(1, order[1]) + axes(2, order[2]);
    if (score > best_score + 1e-9) {
      best_score = score;
      best = order;
    }
  }
  Size size{};
  Eigen::Matrix4d affine = affine_;
  Eigen::Vector3d first = Eigen::Vector3d::Zero();
  for (int axis = 0; axis < 3; ++axis) {
    const int source = best[axis];
    size[axis] = size_[source];
    const Eigen::Vector3d step = affine_.col(source).head<3>();
    const bool flip = step[axis] < 0;
    affine.col(axis).head<3>() = flip ? Eigen::Vector3d(-step) : step;
    if (flip) first[source] = double(size_[source] - 1);
  }
  affine.topRightCorner<3, 1>() = to_lps(first);
  return Geometry(size, affine, frame_of_reference_uid_);
}

ICHDET_INLINE bool Geometry::same_as(const Geometry& other, const GeometryTolerance& tolerance) const {
  if (size_ != other.size_) return false;
  for (int corner = 0; corner < 8; ++corner) {
    Eigen::Vector3d index;
    for (int axis = 0; axis < 3; ++axis) index[axis] = (corner >> axis & 1) != 0 ? double(size_[axis] - 1) : 0.0;
    if ((to_lps(index) - other.to_lps(index)).norm() > tolerance.position_mm) return false;
  }
  return true;
}

ICHDET_INLINE std::string Geometry::to_string() const {
  std::ostringstream text;
  const Eigen::Vector3d spacing = spacing_mm();
  const Eigen::Vector3d origin = origin_mm();
  text << size_[0] << " x " << size_[1] << " x " << size_[2] << " voxels of " << spacing[0] << " x " << spacing[1]
       << " x " << spacing[2] << " mm from (" << origin[0] << ", " << origin[1] << ", " << origin[2] << ") mm LPS";
  return text.str();
}

}  // namespace ichdet
