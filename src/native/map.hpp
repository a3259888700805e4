#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "tiles.hpp"

namespace ichdet::native {

using Triple = std::array<std::int64_t, 3>;  ///< along z, y, x; images have one plane

constexpr std::int64_t volume(const Triple& t) { return t[0] * t[1] * t[2]; }

/// How the feature maps of one image or volume lie in the arena: blocks of 32 channels, each (plane, row, column,
/// channel) with a border of zeros, which rows share: right of one row is left of the next, below one plane above the
/// next. Blocks may have fewer channels: 4 (of images and volumes as they come), or 16 (of volumes).
struct Map {
  Triple size{1, 0, 0}, border{};
  std::int64_t per_pixel = 32;  ///< channels of a block: 32, 16 or 4
  Kept kept;
  std::vector<std::int64_t> blocks;  ///< offsets in the arena, in bytes

  std::int64_t depth() const { return size[0]; }
  std::int64_t height() const { return size[1]; }
  std::int64_t width() const { return size[2]; }
  std::int64_t rows() const { return size[0] * size[1]; }
  std::int64_t pitch() const { return size[2] + border[2]; }              ///< pixels from one row to the next
  std::int64_t plane() const { return (size[1] + border[1]) * pitch(); }  ///< from one plane to the next
  std::int64_t pixel_bytes() const { return kept.value_bytes * per_pixel; }
  std::int64_t places() const { return std::int64_t(blocks.size()) * per_pixel; }
  /// Of one block, and one part: borders, and what a tile may read beyond them.
  std::int64_t block_bytes() const;
  /// From a block's offset to the pixel, which may be in the border.
  std::int64_t pixel(std::int64_t z, std::int64_t y, std::int64_t x) const {
    return ((z + border[0]) * plane() + (y + border[1]) * pitch() + x + border[2]) * pixel_bytes();
  }
  std::int64_t row(std::int64_t row) const { return pixel(row / size[1], row % size[1], 0); }
  /// From a pixel to a place of its block.
  std::int64_t within(std::int64_t place) const { return place % per_pixel * kept.value_bytes; }
};

/// Zeros around each block, which whoever fills the map does first.
void clear_borders(const Map& map, char* arena);

}  // namespace ichdet::native
