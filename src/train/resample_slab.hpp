#pragma once

#include <Eigen/Core>
#include <cstdint>
#include <vector>

#include "ichdet/train/slab.hpp"

namespace ichdet::train {

/// A smooth random field of mean 0 and variance 1 over rows and columns: cubic B-splines on a lattice of normal
/// numbers.
class SplineField {
 public:
  SplineField(std::int64_t rows, std::int64_t columns, double period_rows, double period_columns, std::uint64_t seed);
  /// The values along one row.
  void row(std::int64_t row, std::vector<float>& values) const;

 private:
  std::int64_t columns_, control_rows_, control_columns_;
  double per_row_, per_column_;
  std::vector<float> control_, column_weights_;
  std::vector<std::int64_t> first_column_;
};

/// Where each pixel of the new slab comes from in the old: at (slice, row, column) relative to the middle, in pixels,
/// `matrix` times where it is, plus `shift`, plus its slice's share, plus a smooth field.
struct Warp {
  Eigen::Matrix3d matrix = Eigen::Matrix3d::Identity();
  Eigen::Vector3d shift = Eigen::Vector3d::Zero();
  std::vector<Eigen::Vector2d> slice_shift;      ///< rows, columns; empty: none
  double elastic_rows = 0, elastic_columns = 0;  ///< root mean square of the field, in pixels; 0: none
  double elastic_period_rows = 1, elastic_period_columns = 1;
  std::uint64_t seed = 0;  ///< of the field
};

/// HU trilinear, with `outside_hu` beyond the borders; mask nearest, with 0 there.
void resample(Slab& slab, const Warp& warp, float outside_hu);

}  // namespace ichdet::train
