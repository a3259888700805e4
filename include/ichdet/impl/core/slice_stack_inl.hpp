#pragma once

#include <Eigen/Geometry>
#include <algorithm>
#include <cmath>
#include <utility>

#include "ichdet/core/error.hpp"
#include "ichdet/core/slice_stack.hpp"
#include "ichdet/core/volume.hpp"

namespace ichdet {

ICHDET_INLINE Eigen::Vector3d SlicePlane::normal() const { return along_row.cross(along_column).normalized(); }

ICHDET_INLINE Eigen::Vector3d SlicePlane::to_lps(double row, double column) const {
  return position_mm + along_row * (column * column_spacing_mm) + along_column * (row * row_spacing_mm);
}

namespace detail {

ICHDET_INLINE void check_plane(const SlicePlane& plane, const std::string& name) {
  if (!(plane.row_spacing_mm > 0 && plane.column_spacing_mm > 0) || !std::isfinite(plane.row_spacing_mm) ||
      !std::isfinite(plane.column_spacing_mm)) {
    throw Error::mismatch(ErrorCode::geometry, name + ", pixel spacing", "two positive numbers",
                          std::to_string(plane.row_spacing_mm) + " and " + std::to_string(plane.column_spacing_mm));
  }
  if (!plane.position_mm.allFinite() || !plane.along_row.allFinite() || !plane.along_column.allFinite()) {
    throw Error(ErrorCode::geometry, name + ": expected a finite position and orientation");
  }
  const double dot = std::abs(plane.along_row.dot(plane.along_column));
  const double lengths = std::max(std::abs(plane.along_row.norm() - 1), std::abs(plane.along_column.norm() - 1));
  if (dot > 1e-3 || lengths > 1e-3) {
    throw Error(ErrorCode::geometry,
                name + ", orientation: expected two perpendicular unit vectors, found |row . column| = " +
                    std::to_string(dot) + ", lengths off by " + std::to_string(lengths));
  }
}

}  // namespace detail

ICHDET_INLINE SliceGeometry::SliceGeometry(std::vector<SlicePlane> planes, std::int64_t rows, std::int64_t columns,
                                           std::string frame_of_reference_uid)
    : planes_(std::move(planes)),
      rows_(rows),
      columns_(columns),
      frame_of_reference_uid_(std::move(frame_of_reference_uid)) {
  if (planes_.empty()) throw Error(ErrorCode::geometry, "slices: expected at least one, found none");
  if (rows_ < 1 || columns_ < 1) {
    throw Error::mismatch(ErrorCode::geometry, "slices", "at least one row and column",
                          std::to_string(rows_) + " x " + std::to_string(columns_));
  }
  normal_ = planes_.front().normal();
  offsets_.reserve(planes_.size());
  for (std::size_t i = 0; i < planes_.size(); ++i) {
    const std::string name = "slice " + std::to_string(i);
    detail::check_plane(planes_[i], name);
    if (normal_.dot(planes_[i].normal()) < 1 - 1e-4) {
      throw Error(ErrorCode::geometry, name + ": expected a plane parallel to slice 0, found another orientation");
    }
    const double offset = normal_.dot(planes_[i].position_mm - planes_.front().position_mm);
    if (i > 0 && offset - offsets_.back() < 1e-3) {
      throw Error::mismatch(ErrorCode::geometry, name,
                            "a position beyond slice " + std::to_string(i - 1) + " along the normal",
                            std::to_string(offset - offsets_.back()) + " mm beyond it");
    }
    offsets_.push_back(offset);
  }
  if (planes_.size() == 1 && !(planes_.front().thickness_mm > 0)) {
    throw Error(ErrorCode::geometry, "a single slice: expected its thickness in mm, found none");
  }
}

ICHDET_INLINE SliceGeometry::SliceGeometry(const Geometry& grid)
    : SliceGeometry(
          [&] {
            const Eigen::Vector3d spacing = grid.spacing_mm();
            const Eigen::Matrix3d direction = grid.direction();
            const double gap =
                std::abs(direction.col(0).cross(direction.col(1)).normalized().dot(grid.affine().col(2).head<3>()));
            std::vector<SlicePlane> planes(std::size_t(grid.size()[2]));
            for (std::size_t k = 0; k < planes.size(); ++k) {
              planes[k].position_mm = grid.to_lps({0, 0, double(k)});
              planes[k].along_row = direction.col(0);
              planes[k].along_column = direction.col(1);
              planes[k].column_spacing_mm = spacing[0];
              planes[k].row_spacing_mm = spacing[1];
              planes[k].thickness_mm = gap;
            }
            return planes;
          }(),
          grid.size()[1], grid.size()[0], grid.frame_of_reference_uid()) {}

ICHDET_INLINE std::vector<double> SliceGeometry::extents_mm() const {
  const auto n = offsets_.size();
  if (n == 1) return {planes_.front().thickness_mm};
  std::vector<double> extents(n);
  for (std::size_t i = 0; i < n; ++i) {
    const double below = i > 0 ? offsets_[i] - offsets_[i - 1] : offsets_[1] - offsets_[0];
    const double above = i + 1 < n ? offsets_[i + 1] - offsets_[i] : offsets_[i] - offsets_[i - 1];
    extents[i] = (below + above) / 2;
  }
  return extents;
}

ICHDET_INLINE double SliceGeometry::nominal_gap_mm() const {
  const auto n = offsets_.size();
  if (n == 1) return planes_.front().thickness_mm;
  std::vector<double> gaps(n - 1);
  for (std::size_t i = 1; i < n; ++i) gaps[i - 1] = offsets_[i] - offsets_[i - 1];
  std::nth_element(gaps.begin(), gaps.begin() + std::ptrdiff_t(gaps.size() / 2), gaps.end());
  return gaps[gaps.size() / 2];
}

ICHDET_INLINE double SliceGeometry::tilt_degrees() const {
  if (count() < 2) return 0;
  const Eigen::Vector3d step = (planes_.back().position_mm - planes_.front().position_mm).normalized();
  return std::acos(std::clamp(step.dot(normal_), -1.0, 1.0)) * 180.0 / 3.14159265358979323846;
}

ICHDET_INLINE Geometry SliceGeometry::nominal() const {
  const auto& first = planes_.front();
  Eigen::Matrix4d affine = Eigen::Matrix4d::Identity();
  affine.col(0).head<3>() = first.along_row * first.column_spacing_mm;
  affine.col(1).head<3>() = first.along_column * first.row_spacing_mm;
  affine.col(2).head<3>() =
      count() > 1 ? Eigen::Vector3d((planes_.back().position_mm - first.position_mm) / double(count() - 1))
                  : Eigen::Vector3d(normal_ * first.thickness_mm);
  affine.col(3).head<3>() = first.position_mm;
  return Geometry({columns_, rows_, count()}, affine, frame_of_reference_uid_);
}

ICHDET_INLINE std::optional<Geometry> SliceGeometry::regular(double tolerance_mm) const {
  Geometry grid = nominal();
  for (std::int64_t k = 0; k < count(); ++k) {
    const auto& plane = planes_[std::size_t(k)];
    const double rows = double(rows_ - 1);
    const double columns = double(columns_ - 1);
    if ((plane.position_mm - grid.to_lps({0, 0, double(k)})).norm() > tolerance_mm ||
        (plane.to_lps(rows, columns) - grid.to_lps({columns, rows, double(k)})).norm() > tolerance_mm) {
      return std::nullopt;
    }
  }
  return grid;
}

ICHDET_INLINE SliceStack::SliceStack(SliceGeometry planes, Array3<float> hu_values, Array3<std::uint8_t> padding_mask)
    : geometry(std::move(planes)), hu(std::move(hu_values)), padding(std::move(padding_mask)) {
  check_shape("slice stack", geometry.shape(), hu.shape());
  if (!padding.empty()) check_shape("padding mask", geometry.shape(), padding.shape());
}

ICHDET_INLINE SliceLabels::SliceLabels(Array3<std::uint8_t> label_values, std::vector<std::string> label_names,
                                       SliceGeometry planes)
    : labels(std::move(label_values)), names(std::move(label_names)), geometry(std::move(planes)) {
  check_shape("slice labels", geometry.shape(), labels.shape());
}

}  // namespace ichdet
