#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

namespace ichdet::attribution {

/// Regions of one image, a bit for each pixel; regions may overlap and be empty.
struct RegionMasks {
  std::int64_t count = 0, height = 0, width = 0;
  std::vector<std::uint64_t> bits;  ///< (mask, y, word): pixel x is bit x % 64 of word x / 64; past the width, 0

  std::int64_t words() const { return (width + 63) / 64; }  ///< of a row
  std::span<const std::uint64_t> row(std::int64_t mask, std::int64_t y) const {
    return {bits.data() + (mask * height + y) * words(), std::size_t(words())};
  }
};

/// From bool (mask, y, x). Throws Error(shape) for another type, other axes, or no pixel.
RegionMasks region_masks(const at::Tensor& masks);
/// To bool (mask, y, x).
at::Tensor to_tensor(const RegionMasks& masks);

/// A mask for each label from the least to the highest, of labels int64 (y, x), or of each of (scale, y, x) in turn.
/// Throws Error(shape) for another type or other axes, and for more labels than pixels.
RegionMasks masks_of_labels(const at::Tensor& labels);

/// Every mask grown by the pixels within `radius` (0 or more) of its own.
RegionMasks dilated(const RegionMasks& masks, std::int64_t radius);

/// Rows [first, last) outside of which a mask is empty; first == last for an empty mask.
struct MaskRows {
  std::int64_t first = 0, last = 0;
};
MaskRows occupied_rows(const RegionMasks& masks, std::int64_t mask);

}  // namespace ichdet::attribution
