#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "ichdet/core/components.hpp"
#include "ichdet/core/error.hpp"
#include "ichdet/core/parallel.hpp"
#include "ichdet/preprocess/morphology.hpp"

namespace ichdet {

namespace detail {

/// Squared distance in mm along one row to its nearest voxel that equals `wanted`; infinity where there is none.
ICHDET_INLINE void squared_distance_in_row(const std::uint8_t* mask, bool wanted, std::int64_t n, float spacing,
                                           float* out) {
  constexpr float never = std::numeric_limits<float>::infinity();
  float distance = never;
  for (std::int64_t x = 0; x < n; ++x) {
    distance = (mask[x] != 0) == wanted ? 0 : distance + spacing;
    out[x] = distance;
  }
  distance = never;
  for (std::int64_t x = n - 1; x >= 0; --x) {
    distance = (mask[x] != 0) == wanted ? 0 : distance + spacing;
    const float nearest = std::min(out[x], distance);
    out[x] = nearest * nearest;
  }
}

ICHDET_INLINE void min_with_offset(const float* from, float offset, std::int64_t n, float* to) {
  for (std::int64_t x = 0; x < n; ++x) to[x] = std::min(to[x], from[x] + offset);
}

/// `near` where a voxel equal to `wanted` lies within the radius, else `far`: three passes of bounded reach.
ICHDET_INLINE Array3<std::uint8_t> within_ball(const Array3<std::uint8_t>& mask, bool wanted, double radius_mm,
                                               const Eigen::Vector3d& spacing_mm, std::uint8_t near, std::uint8_t far,
                                               int threads) {
  if (!(radius_mm >= 0) || !(spacing_mm.array() > 0).all()) {
    throw Error(ErrorCode::options, "morphology: expected a radius of at least 0 mm and positive spacings");
  }
  const auto [nz, ny, nx] = mask.shape();
  const auto row = nx;
  // A little more than the radius, so that a distance equal to it counts whatever the rounding.
  const auto limit = float(radius_mm * radius_mm * (1 + 1e-6));
  const auto reach = [&](int axis) { return std::int64_t(radius_mm * (1 + 1e-6) / spacing_mm[axis]); };
  const auto offset = [&](int axis, std::int64_t steps) {
    const double mm = double(steps) * spacing_mm[axis];
    return float(mm * mm);
  };
  const std::int64_t size_y = ny;
  const std::int64_t size_z = nz;
  auto in_slice = Array3<float>::uninitialized(mask.shape());
  parallel_for(size_z, threads, [&](std::int64_t z) {
    std::vector<float> in_row(std::size_t(size_y * row));
    for (std::int64_t y = 0; y < size_y; ++y) {
      squared_distance_in_row(mask.plane(z).data() + y * row, wanted, row, float(spacing_mm[0]),
                              in_row.data() + y * row);
    }
    std::copy(in_row.begin(), in_row.end(), in_slice.plane(z).begin());
    for (std::int64_t y = 0; y < size_y; ++y) {
      float* to = in_slice.plane(z).data() + y * row;
      for (std::int64_t steps = 1; steps <= reach(1); ++steps) {
        if (y >= steps) min_with_offset(in_row.data() + (y - steps) * row, offset(1, steps), row, to);
        if (y + steps < size_y) min_with_offset(in_row.data() + (y + steps) * row, offset(1, steps), row, to);
      }
    }
  });
  auto result = Array3<std::uint8_t>::uninitialized(mask.shape());
  parallel_for(size_z, threads, [&](std::int64_t z) {
    std::vector<float> nearest(in_slice.plane(z).begin(), in_slice.plane(z).end());
    for (std::int64_t steps = 1; steps <= reach(2); ++steps) {
      for (const auto other : {z - steps, z + steps}) {
        if (other < 0 || other >= size_z) continue;
        min_with_offset(in_slice.plane(other).data(), offset(2, steps), std::int64_t(nearest.size()), nearest.data());
      }
    }
    std::transform(nearest.begin(), nearest.end(), result.plane(z).begin(),
                   [&](float d) { return d <= limit ? near : far; });
  });
  return result;
}

/// Adds to `filled` the holes of `mask`, both of one shape.
ICHDET_INLINE void add_holes(const Array3<std::uint8_t>& mask, bool slice_alone, std::uint8_t* filled) {
  Array3<std::uint8_t> outside(mask.shape());
  std::transform(mask.begin(), mask.end(), outside.begin(), [](std::uint8_t v) { return v == 0; });
  const auto pieces = connected_components(outside, Connectivity::faces);
  std::vector<std::uint8_t> hole(pieces.sizes.size(), 1);
  const auto [nz, ny, nx] = mask.shape();
  for (std::int64_t z = 0; z < nz; ++z) {
    const bool whole_slice = !slice_alone && (z == 0 || z == nz - 1);
    for (std::int64_t y = 0; y < ny; ++y) {
      const bool whole_row = whole_slice || y == 0 || y == ny - 1;
      const std::int64_t step = whole_row ? 1 : std::max<std::int64_t>(1, nx - 1);
      for (std::int64_t x = 0; x < nx; x += step) hole[std::size_t(pieces.labels(z, y, x))] = 0;
    }
  }
  hole[0] = 1;
  for (std::int64_t i = 0; i < mask.size(); ++i) filled[i] = hole[std::size_t(pieces.labels.data()[i])];
}

ICHDET_INLINE std::vector<float> gaussian_kernel(double sigma) {
  const auto reach = std::int64_t(4 * sigma + 0.5);
  std::vector<double> weights;
  double total = 0;
  for (std::int64_t i = -reach; i <= reach; ++i) {
    weights.push_back(sigma > 0 ? std::exp(-0.5 * double(i * i) / (sigma * sigma)) : 1.0);
    total += weights.back();
  }
  std::vector<float> kernel(weights.size());
  std::transform(weights.begin(), weights.end(), kernel.begin(), [&](double w) { return float(w / total); });
  return kernel;
}

ICHDET_INLINE void add_scaled(const float* from, float weight, std::int64_t n, float* to) {
  for (std::int64_t x = 0; x < n; ++x) to[x] += weight * from[x];
}

}  // namespace detail

ICHDET_INLINE Array3<std::uint8_t> dilate(const Array3<std::uint8_t>& mask, double radius_mm,
                                          const Eigen::Vector3d& spacing_mm, int threads) {
  return detail::within_ball(mask, true, radius_mm, spacing_mm, 1, 0, threads);
}

ICHDET_INLINE Array3<std::uint8_t> erode(const Array3<std::uint8_t>& mask, double radius_mm,
                                         const Eigen::Vector3d& spacing_mm, int threads) {
  return detail::within_ball(mask, false, radius_mm, spacing_mm, 0, 1, threads);
}

ICHDET_INLINE Array3<std::uint8_t> open_mask(const Array3<std::uint8_t>& mask, double radius_mm,
                                             const Eigen::Vector3d& spacing_mm, int threads) {
  return dilate(erode(mask, radius_mm, spacing_mm, threads), radius_mm, spacing_mm, threads);
}

ICHDET_INLINE Array3<std::uint8_t> close_mask(const Array3<std::uint8_t>& mask, double radius_mm,
                                              const Eigen::Vector3d& spacing_mm, int threads) {
  return erode(dilate(mask, radius_mm, spacing_mm, threads), radius_mm, spacing_mm, threads);
}

ICHDET_INLINE Array3<std::uint8_t> fill_holes(const Array3<std::uint8_t>& mask) {
  auto filled = Array3<std::uint8_t>::uninitialized(mask.shape());
  detail::add_holes(mask, false, filled.data());
  return filled;
}

ICHDET_INLINE Array3<std::uint8_t> fill_holes_in_slices(const Array3<std::uint8_t>& mask, int threads) {
  auto filled = Array3<std::uint8_t>::uninitialized(mask.shape());
  parallel_for(mask.extent(0), threads, [&](std::int64_t z) {
    const Array3<std::uint8_t> slice(const_cast<std::uint8_t*>(mask.plane(z).data()),
                                     {1, mask.extent(1), mask.extent(2)}, mask.owner());
    detail::add_holes(slice, true, filled.plane(z).data());
  });
  return filled;
}

ICHDET_INLINE Array3<std::uint8_t> largest_piece(const Array3<std::uint8_t>& mask) {
  const auto pieces = connected_components(mask, Connectivity::faces);
  if (pieces.count() == 0) return Array3<std::uint8_t>(mask.shape());
  return pieces.mask(pieces.largest());
}

ICHDET_INLINE Array3<float> gaussian_smooth(const Array3<float>& values, double sigma_mm,
                                            const Eigen::Vector3d& spacing_mm, int threads) {
  if (!(sigma_mm >= 0) || !(spacing_mm.array() > 0).all()) {
    throw Error(ErrorCode::options, "gaussian_smooth: expected a sigma of at least 0 mm and positive spacings");
  }
  const std::int64_t nz = values.extent(0);
  const std::int64_t ny = values.extent(1);
  const std::int64_t nx = values.extent(2);
  const auto along_x = detail::gaussian_kernel(sigma_mm / spacing_mm[0]);
  const auto along_y = detail::gaussian_kernel(sigma_mm / spacing_mm[1]);
  const auto along_z = detail::gaussian_kernel(sigma_mm / spacing_mm[2]);
  const auto half = [](const std::vector<float>& kernel) { return std::int64_t(kernel.size() / 2); };
  auto in_slice = Array3<float>::uninitialized(values.shape());
  parallel_for(nz, threads, [&](std::int64_t z) {
    std::vector<float> rows(std::size_t(ny * nx), 0.0F);
    std::vector<float> padded(std::size_t(nx + 2 * half(along_x)));
    for (std::int64_t y = 0; y < ny; ++y) {
      const float* from = values.plane(z).data() + y * nx;
      for (std::int64_t x = 0; x < std::int64_t(padded.size()); ++x) {
        padded[std::size_t(x)] = from[std::clamp<std::int64_t>(x - half(along_x), 0, nx - 1)];
      }
      for (std::size_t k = 0; k < along_x.size(); ++k) {
        detail::add_scaled(padded.data() + k, along_x[k], nx, rows.data() + y * nx);
      }
    }
    std::fill(in_slice.plane(z).begin(), in_slice.plane(z).end(), 0.0F);
    for (std::int64_t y = 0; y < ny; ++y) {
      for (std::int64_t k = 0; k < std::int64_t(along_y.size()); ++k) {
        const auto from = std::clamp<std::int64_t>(y + k - half(along_y), 0, ny - 1);
        detail::add_scaled(rows.data() + from * nx, along_y[std::size_t(k)], nx, in_slice.plane(z).data() + y * nx);
      }
    }
  });
  if (along_z.size() == 1) return in_slice;
  Array3<float> result(values.shape());
  parallel_for(nz, threads, [&](std::int64_t z) {
    for (std::int64_t k = 0; k < std::int64_t(along_z.size()); ++k) {
      const auto from = std::clamp<std::int64_t>(z + k - half(along_z), 0, nz - 1);
      detail::add_scaled(in_slice.plane(from).data(), along_z[std::size_t(k)], ny * nx, result.plane(z).data());
    }
  });
  return result;
}

}  // namespace ichdet
