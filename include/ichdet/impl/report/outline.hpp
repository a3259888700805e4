#pragma once

#include <algorithm>
#include <cmath>

#include "ichdet/report/view.hpp"

// The outlines of masks on pictures of another resolution.
namespace ichdet::detail {

/// How much of each picture pixel's surroundings has the label, smoothed over `smooth_px` pixels of the mask, so that
/// its level lines show the label's shape and not the pixels or the coarser grid that it was found on. Where a spot is
/// too small to reach a level of 0.5 it is lifted to 1 on the pixels it lies in, and so never lost.
inline Array2f label_field(const Array<std::uint8_t, 2>& mask, std::int64_t rows, std::int64_t columns,
                           double smooth_px) {
  Array2f values(mask.shape());
  std::copy(mask.begin(), mask.end(), values.begin());
  auto field = resize(values, rows, columns, Kernel::spline, smooth_px);
  const auto smooth = field.clone();
  for (std::int64_t r = 0; r < mask.extent(0); ++r) {
    for (std::int64_t c = 0; c < mask.extent(1); ++c) {
      if (mask(r, c) == 0) continue;
      const auto y = (2 * r + 1) * rows / (2 * mask.extent(0));
      const auto x = (2 * c + 1) * columns / (2 * mask.extent(1));
      float highest = 0;
      for (auto v = std::max<std::int64_t>(0, y - 2); v <= std::min(rows - 1, y + 2); ++v) {
        for (auto u = std::max<std::int64_t>(0, x - 2); u <= std::min(columns - 1, x + 2); ++u) {
          highest = std::max(highest, smooth(v, u));
        }
      }
      if (highest < 0.5f) field(y, x) = 1;
    }
  }
  return field;
}

/// How much of each pixel the field's level line 0.4, just outside the label, covers if it is `width_px` wide.
inline Array2f line_coverage(const Array2f& field, double width_px) {
  const auto [rows, columns] = field.shape();
  Array2f coverage(field.shape());
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t c = 0; c < columns; ++c) {
      const double gy = (field(std::min(r + 1, rows - 1), c) - field(std::max<std::int64_t>(r - 1, 0), c)) / 2;
      const double gx = (field(r, std::min(c + 1, columns - 1)) - field(r, std::max<std::int64_t>(c - 1, 0))) / 2;
      const double distance = std::abs(field(r, c) - 0.4) / std::max(std::hypot(gx, gy), 1e-3);
      coverage(r, c) = float(std::clamp(width_px / 2 + 0.5 - distance, 0.0, 1.0));
    }
  }
  return coverage;
}

}  // namespace ichdet::detail
