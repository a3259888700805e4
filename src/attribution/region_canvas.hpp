#pragma once

#include <bit>
#include <cstdint>
#include <vector>

#include "ichdet/attribution/region_masks.hpp"
#include "numpy_sum.hpp"

namespace ichdet::attribution {

/// The image as it is being covered by regions.
template <class T>
struct Canvas {
  const RegionMasks& masks;
  const T* attribution;
  std::vector<std::uint64_t> covered;   ///< pixels in a region, as bits of a mask
  std::vector<std::int64_t> region_of;  ///< each pixel's, by the time at which it came; -1 before
  std::vector<T> gains;                 ///< of each region
  std::vector<std::int64_t> areas;
  std::int64_t covered_pixels = 0;
  std::vector<T> gathered;

  Canvas(const RegionMasks& of, const T* values)
      : masks(of),
        attribution(values),
        covered(std::size_t(of.height * of.words())),
        region_of(std::size_t(of.height * of.width), -1) {}

  std::int64_t pixels() const { return std::int64_t(region_of.size()); }
};

/// Calls f(pixel) for each that a mask would add.
template <class T, class F>
void each_added(const Canvas<T>& canvas, std::int64_t mask, MaskRows rows, F f) {
  const auto words = canvas.masks.words();
  for (auto y = rows.first; y < rows.last; ++y) {
    const auto row = canvas.masks.row(mask, y);
    const std::uint64_t* covered = canvas.covered.data() + y * words;
    for (std::int64_t i = 0; i < words; ++i) {
      for (std::uint64_t word = row[std::size_t(i)] & ~covered[i]; word != 0; word &= word - 1) {
        f(y * canvas.masks.width + i * 64 + std::countr_zero(word));
      }
    }
  }
}

/// The mean over the pixels that a mask would add, least of all numbers where there is none.
template <class T>
T gain_of(Canvas<T>& canvas, std::int64_t mask, MaskRows rows) {
  canvas.gathered.clear();
  each_added(canvas, mask, rows, [&](std::int64_t pixel) { canvas.gathered.push_back(canvas.attribution[pixel]); });
  return numpy_mean(canvas.gathered);
}

/// Makes a region of what a mask adds.
template <class T>
void cover(Canvas<T>& canvas, std::int64_t mask, MaskRows rows, T gain) {
  const auto region = std::int64_t(canvas.gains.size());
  std::int64_t area = 0;
  each_added(canvas, mask, rows, [&](std::int64_t pixel) {
    canvas.region_of[std::size_t(pixel)] = region;
    ++area;
  });
  const auto words = canvas.masks.words();
  for (auto y = rows.first; y < rows.last; ++y) {
    const auto row = canvas.masks.row(mask, y);
    for (std::int64_t i = 0; i < words; ++i) canvas.covered[std::size_t(y * words + i)] |= row[std::size_t(i)];
  }
  canvas.gains.push_back(gain);
  canvas.areas.push_back(area);
  canvas.covered_pixels += area;
}

}  // namespace ichdet::attribution
