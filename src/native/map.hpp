#pragma once

#include <cstdint>
#include <vector>

namespace ichdet::native {

/// How the feature maps of one image lie in the arena: blocks of 32 channels, each (row, column, channel) in bfloat16
/// with a border of zeros; columns share it, right of one row is left of the next. With `rest_bytes` what rounding took
/// lies so much further. Maps of up to four channels may be `narrow`: one block of 4 channels.
struct Map {
  std::int64_t height = 0, width = 0, border = 0;
  bool narrow = false;
  std::int64_t rest_bytes = 0;
  std::vector<std::int64_t> blocks;  ///< offsets in the arena, in bytes

  std::int64_t pitch() const { return width + border; }  ///< pixels from one row to the next
  std::int64_t pixel_bytes() const { return narrow ? 8 : 64; }
  /// Of one block, and one part: borders, and what a tile may read beyond them.
  std::int64_t block_bytes() const;
  /// From a block's offset to the pixel; y and x may be in the border.
  std::int64_t pixel(std::int64_t y, std::int64_t x) const {
    return ((y + border) * pitch() + x + border) * pixel_bytes();
  }
};

/// Zeros around each block, which whoever fills the map does first.
void clear_borders(const Map& map, char* arena);

}  // namespace ichdet::native
