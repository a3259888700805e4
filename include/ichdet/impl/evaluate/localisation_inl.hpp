#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <numeric>
#include <vector>

#include "ichdet/core/error.hpp"
#include "ichdet/core/volume.hpp"
#include "ichdet/evaluate/curves.hpp"
#include "ichdet/evaluate/localisation.hpp"
#include "ichdet/impl/evaluate/shared.hpp"

namespace ichdet::evaluate {

namespace detail {

ICHDET_INLINE void check_map(const Array3<float>& map) {
  if (std::all_of(map.begin(), map.end(), [](float v) { return std::isfinite(v); })) return;
  throw Error::mismatch(ErrorCode::shape, "map", "finite values", "NaN or infinity");
}

/// How many pixels the mask has.
ICHDET_INLINE std::int64_t check_map(const Array3<float>& map, const Mask& mask) {
  check_shape("mask", map.shape(), mask.shape());
  check_map(map);
  const auto inside = mask.size() - std::count(mask.begin(), mask.end(), 0);
  if (inside > 0 && inside < mask.size()) return inside;
  throw Error::mismatch(ErrorCode::shape, "mask", "pixels inside and outside",
                        std::to_string(inside) + " of " + std::to_string(mask.size()) + " inside");
}

/// Dilation with a ball, from the mask's own pixels outwards.
ICHDET_INLINE Mask near(const Mask& mask, const PointingOptions& options) {
  const auto reach = [&](int axis) { return std::int64_t(options.tolerance / options.spacing[axis]); };
  std::vector<std::array<std::int64_t, 3>> ball;
  for (auto z = -reach(2); z <= reach(2); ++z) {
    for (auto y = -reach(1); y <= reach(1); ++y) {
      for (auto x = -reach(0); x <= reach(0); ++x) {
        const Eigen::Vector3d step = Eigen::Vector3d(double(x), double(y), double(z)).cwiseProduct(options.spacing);
        if (step.norm() <= options.tolerance) ball.push_back({z, y, x});
      }
    }
  }
  auto wide = mask.clone();
  const auto [depth, rows, columns] = mask.shape();
  const auto at = [&](std::int64_t z, std::int64_t y, std::int64_t x) {
    return z >= 0 && z < depth && y >= 0 && y < rows && x >= 0 && x < columns && mask(z, y, x) != 0;
  };
  for (std::int64_t z = 0; z < depth; ++z) {
    for (std::int64_t y = 0; y < rows; ++y) {
      for (std::int64_t x = 0; x < columns; ++x) {
        if (!at(z, y, x) || (at(z, y - 1, x) && at(z, y + 1, x) && at(z, y, x - 1) && at(z, y, x + 1) &&
                             (depth == 1 || (at(z - 1, y, x) && at(z + 1, y, x))))) {
          continue;  // what a pixel within the mask reaches, its rim reaches too
        }
        for (const auto& [dz, dy, dx] : ball) {
          const auto k = z + dz, r = y + dy, c = x + dx;
          if (k >= 0 && k < depth && r >= 0 && r < rows && c >= 0 && c < columns) wide(k, r, c) = 1;
        }
      }
    }
  }
  return wide;
}

ICHDET_INLINE std::vector<double> ranks(const Array3<float>& map) {
  std::vector<std::int64_t> order(std::size_t(map.size()));
  std::iota(order.begin(), order.end(), 0);
  const auto* values = map.data();
  std::sort(order.begin(), order.end(), [&](auto a, auto b) { return values[a] < values[b]; });
  std::vector<double> found(order.size());
  for (std::size_t first = 0, end = 0; first < order.size(); first = end) {
    while (end < order.size() && values[order[end]] == values[order[first]]) ++end;
    for (auto i = first; i < end; ++i) found[std::size_t(order[i])] = double(first + end - 1) / 2;
  }
  return found;
}

}  // namespace detail

ICHDET_INLINE Pointing pointing_game(const Array3<float>& map, const Mask& mask, const PointingOptions& options) {
  detail::check_map(map, mask);
  detail::check_spacing(options.spacing);
  if (!(options.tolerance >= 0) || !std::isfinite(options.tolerance)) {
    throw Error::mismatch(ErrorCode::options, "tolerance", "0 or more", std::to_string(options.tolerance));
  }
  const auto wide = detail::near(mask, options);
  const float highest = *std::max_element(map.begin(), map.end());
  Pointing found;
  std::int64_t hits = 0;
  for (std::int64_t i = 0; i < map.size(); ++i) {
    if (map.data()[i] != highest) continue;
    ++found.maxima;
    hits += wide.data()[i] != 0;
  }
  found.hit = double(hits) / double(found.maxima);
  found.chance = double(wide.size() - std::count(wide.begin(), wide.end(), 0)) / double(wide.size());
  return found;
}

ICHDET_INLINE double energy_inside(const Array3<float>& map, const Mask& mask) {
  const auto area = detail::check_map(map, mask);
  double all = 0, inside = 0;
  for (std::int64_t i = 0; i < map.size(); ++i) {
    const double value = std::max(map.data()[i], 0.F);
    all += value;
    if (mask.data()[i] != 0) inside += value;
  }
  return all > 0 ? inside / all : double(area) / double(mask.size());
}

ICHDET_INLINE EqualArea equal_area(const Array3<float>& map, const Mask& mask) {
  const auto area = detail::check_map(map, mask);
  std::vector<float> values(map.begin(), map.end());
  std::nth_element(values.begin(), values.begin() + (area - 1), values.end(), std::greater<>());
  const float cut = values[std::size_t(area - 1)];
  std::int64_t above = 0, above_inside = 0, tied = 0, tied_inside = 0;
  for (std::int64_t i = 0; i < map.size(); ++i) {
    const float value = map.data()[i];
    const bool inside = mask.data()[i] != 0;
    above += value > cut;
    above_inside += value > cut && inside;
    tied += value == cut;
    tied_inside += value == cut && inside;
  }
  const double both = double(above_inside) + double(area - above) * double(tied_inside) / double(tied);
  return {both / double(area), both / (2 * double(area) - both)};
}

ICHDET_INLINE double pixel_auc(const Array3<float>& map, const Mask& mask) {
  detail::check_map(map, mask);
  const std::vector<double> scores(map.begin(), map.end());
  return areas(rank({mask.data(), std::size_t(mask.size())}, scores)).roc_auc;
}

ICHDET_INLINE double rank_correlation(const Array3<float>& a, const Array3<float>& b) {
  check_shape("second map", a.shape(), b.shape());
  detail::check_map(a);
  detail::check_map(b);
  const auto x = detail::ranks(a), y = detail::ranks(b);
  const double mean = double(x.size() - 1) / 2;
  double xx = 0, yy = 0, xy = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    xx += (x[i] - mean) * (x[i] - mean);
    yy += (y[i] - mean) * (y[i] - mean);
    xy += (x[i] - mean) * (y[i] - mean);
  }
  return xx > 0 && yy > 0 ? xy / std::sqrt(xx * yy) : undefined;
}

}  // namespace ichdet::evaluate
