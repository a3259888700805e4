#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <span>
#include <string>

#include "ichdet/core/error.hpp"
#include "ichdet/core/volume.hpp"
#include "ichdet/evaluate/bootstrap.hpp"
#include "ichdet/evaluate/surface.hpp"
#include "ichdet/impl/evaluate/shared.hpp"

namespace ichdet::evaluate {

namespace detail {

/// The voxels of a mask that have a face neighbour outside it, or beyond the array.
ICHDET_INLINE Mask surface_of(const Mask& mask) {
  const auto [nz, ny, nx] = mask.shape();
  Mask surface(mask.shape());
  for (std::int64_t z = 0; z < nz; ++z) {
    for (std::int64_t y = 0; y < ny; ++y) {
      for (std::int64_t x = 0; x < nx; ++x) {
        if (mask(z, y, x) == 0) continue;
        const bool deep = z > 0 && y > 0 && x > 0 && z + 1 < nz && y + 1 < ny && x + 1 < nx && mask(z - 1, y, x) != 0 &&
                          mask(z + 1, y, x) != 0 && mask(z, y - 1, x) != 0 && mask(z, y + 1, x) != 0 &&
                          mask(z, y, x - 1) != 0 && mask(z, y, x + 1) != 0;
        surface(z, y, x) = deep ? 0 : 1;
      }
    }
  }
  return surface;
}

/// The smallest box around both masks: first and size, z, y, x; empty where both are.
struct Box {
  std::array<std::int64_t, 3> first{}, size{};
};
ICHDET_INLINE Box box_around(const Mask& a, const Mask& b) {
  const auto [nz, ny, nx] = a.shape();
  std::array<std::int64_t, 3> low{nz, ny, nx}, high{-1, -1, -1};
  for (std::int64_t z = 0; z < nz; ++z) {
    for (std::int64_t y = 0; y < ny; ++y) {
      for (std::int64_t x = 0; x < nx; ++x) {
        if (a(z, y, x) == 0 && b(z, y, x) == 0) continue;
        const std::array<std::int64_t, 3> at{z, y, x};
        for (std::size_t axis = 0; axis < 3; ++axis) {
          low[axis] = std::min(low[axis], at[axis]);
          high[axis] = std::max(high[axis], at[axis]);
        }
      }
    }
  }
  Box box;
  if (high[0] < 0) return box;
  for (std::size_t axis = 0; axis < 3; ++axis) box.size[axis] = high[axis] + 1 - (box.first[axis] = low[axis]);
  return box;
}

/// Squared distances along one line: the lower envelope of the parabolas that stand on `values`, one every `step` mm
/// (Felzenszwalb and Huttenlocher, Theory of Computing 2012). Infinite values carry none.
struct Envelope {
  std::vector<double> values;  ///< of the line; replaced by the envelope
  std::vector<std::int64_t> feet;
  std::vector<double> from;  ///< where, in mm, each foot's parabola becomes the lowest
  std::vector<double> source;

  void lower(double step) {
    const auto n = std::int64_t(values.size());
    feet.clear();
    from.clear();
    const auto height = [&](std::int64_t i) { return values[std::size_t(i)] + double(i) * double(i) * step * step; };
    for (std::int64_t i = 0; i < n; ++i) {
      if (std::isinf(values[std::size_t(i)])) continue;
      double start = -std::numeric_limits<double>::infinity();
      while (!feet.empty()) {
        start = (height(i) - height(feet.back())) / (2 * step * double(i - feet.back()));  // in mm
        if (start > from.back()) break;
        feet.pop_back();
        from.pop_back();
        start = -std::numeric_limits<double>::infinity();
      }
      feet.push_back(i);
      from.push_back(start);
    }
    if (feet.empty()) return;
    source.assign(values.begin(), values.end());
    std::size_t k = 0;
    for (std::int64_t i = 0; i < n; ++i) {
      while (k + 1 < feet.size() && from[k + 1] < double(i) * step) ++k;
      const double away = double(i - feet[k]) * step;
      values[std::size_t(i)] = away * away + source[std::size_t(feet[k])];
    }
  }
};

/// Squared distance in mm from each voxel of the box to the nearest voxel of `surface` in its z-x plane: along z by
/// counting, a plane at a time, then along x by envelopes.
ICHDET_INLINE Array3<double> squared_in_plane(const Mask& surface, const Box& box, const Eigen::Vector3d& spacing_mm) {
  const auto [nz, ny, nx] = box.size;
  Array3<double> squared(box.size, std::numeric_limits<double>::infinity());
  for (std::int64_t z = 0; z < nz; ++z) {
    for (std::int64_t y = 0; y < ny; ++y) {
      for (std::int64_t x = 0; x < nx; ++x) {
        if (surface(box.first[0] + z, box.first[1] + y, box.first[2] + x) != 0) squared(z, y, x) = 0;
      }
    }
  }
  const auto count_from = [&](std::int64_t from, std::int64_t to) {
    std::transform(squared.plane(from).begin(), squared.plane(from).end(), squared.plane(to).begin(),
                   squared.plane(to).begin(), [](double there, double here) { return std::min(here, there + 1); });
  };
  for (std::int64_t z = 1; z < nz; ++z) count_from(z - 1, z);
  for (std::int64_t z = nz - 1; z > 0; --z) count_from(z, z - 1);
  for (auto& value : squared) value *= value * spacing_mm[2] * spacing_mm[2];

  Envelope line;
  for (std::int64_t row = 0; row < nz * ny; ++row) {
    double* values = squared.data() + row * nx;
    line.values.assign(values, values + nx);
    line.lower(spacing_mm[0]);
    std::copy(line.values.begin(), line.values.end(), values);
  }
  return squared;
}

/// From each voxel of `surface` to the other surface, whose distances within planes are `squared`: along y outwards, as
/// far as something nearer may be found.
ICHDET_INLINE std::vector<double> distances_at(const Mask& surface, const Array3<double>& squared, const Box& box,
                                               double step) {
  const auto [nz, ny, nx] = box.size;
  std::vector<double> distances;
  for (std::int64_t z = 0; z < nz; ++z) {
    for (std::int64_t y = 0; y < ny; ++y) {
      for (std::int64_t x = 0; x < nx; ++x) {
        if (surface(box.first[0] + z, box.first[1] + y, box.first[2] + x) == 0) continue;
        double nearest = squared(z, y, x);
        for (std::int64_t away = 1; away < ny; ++away) {
          const double offset = double(away) * step * double(away) * step;
          if (offset >= nearest) break;
          if (y >= away) nearest = std::min(nearest, offset + squared(z, y - away, x));
          if (y + away < ny) nearest = std::min(nearest, offset + squared(z, y + away, x));
        }
        distances.push_back(std::sqrt(nearest));
      }
    }
  }
  return distances;
}

ICHDET_INLINE double quantile_of(std::vector<double> values, double q) {
  std::sort(values.begin(), values.end());
  return sorted_quantile(values, q);
}

}  // namespace detail

ICHDET_INLINE SurfaceDistances surface_distances(const Mask& predicted, const Mask& truth,
                                                 const Eigen::Vector3d& spacing_mm) {
  check_shape("predicted mask", truth.shape(), predicted.shape());
  detail::check_spacing(spacing_mm);
  const auto ours = detail::surface_of(predicted), theirs = detail::surface_of(truth);
  const auto box = detail::box_around(ours, theirs);
  const auto to_theirs = detail::squared_in_plane(theirs, box, spacing_mm);
  const auto to_ours = detail::squared_in_plane(ours, box, spacing_mm);
  return {detail::distances_at(ours, to_theirs, box, spacing_mm[1]),
          detail::distances_at(theirs, to_ours, box, spacing_mm[1])};
}

ICHDET_INLINE double hausdorff_mm(const SurfaceDistances& distances, double percentile) {
  if (!(percentile >= 0 && percentile <= 100)) {
    throw Error::mismatch(ErrorCode::options, "percentile", "0 to 100", std::to_string(percentile));
  }
  const double a = detail::quantile_of(distances.from_predicted_mm, percentile / 100);
  const double b = detail::quantile_of(distances.from_truth_mm, percentile / 100);
  return std::fmax(
      a, b);  // of one NaN and one number the number: the empty mask has no distances, the other's are infinite
}

ICHDET_INLINE double surface_dice(const SurfaceDistances& distances, double tolerance_mm) {
  if (!(tolerance_mm >= 0)) {
    throw Error::mismatch(ErrorCode::options, "tolerance_mm", "a number from 0 on", std::to_string(tolerance_mm));
  }
  Proportion near;
  for (const auto* side : {&distances.from_predicted_mm, &distances.from_truth_mm}) {
    near.trials += std::int64_t(side->size());
    near.successes += std::count_if(side->begin(), side->end(), [&](double d) { return d <= tolerance_mm; });
  }
  return near.value();
}

ICHDET_INLINE double mean_surface_distance_mm(const SurfaceDistances& distances) {
  double sum = 0;
  for (const auto* side : {&distances.from_predicted_mm, &distances.from_truth_mm}) {
    for (const double d : *side) sum += d;
  }
  return sum / double(distances.from_predicted_mm.size() + distances.from_truth_mm.size());
}

}  // namespace ichdet::evaluate
