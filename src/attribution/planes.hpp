#pragma once

#include <cstdint>
#include <vector>

namespace ichdet::attribution {

/// A plane of an image in float64, row by row. What follows acts along y; transposed(), along x.
struct Plane {
  std::int64_t height = 0, width = 0;
  std::vector<double> values;

  Plane(std::int64_t rows, std::int64_t columns) : height(rows), width(columns), values(std::size_t(rows * columns)) {}
  double* row(std::int64_t y) { return values.data() + y * width; }
  const double* row(std::int64_t y) const { return values.data() + y * width; }
};

Plane transposed(const Plane& plane);

enum class Border {
  mirrored,  ///< d c b a | a b c d | d c b a
  zero,
};

/// By a Gaussian cut off beyond 4 sigma, rounded as SciPy's gaussian_filter1d rounds it.
Plane smoothed(const Plane& plane, double sigma, Border border);

/// To another height, by cubic splines with zero beyond the border, pixels keeping their share of the height: as
/// SciPy's zoom with grid_mode and 'grid-constant', padding and all.
Plane resized(const Plane& plane, std::int64_t height);

}  // namespace ichdet::attribution
