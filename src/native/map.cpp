#include "map.hpp"

#include <cstring>

namespace ichdet::native {
namespace {

constexpr std::int64_t readable_beyond = 32;  // pixels

}  // namespace

std::int64_t Map::block_bytes() const {
  const auto pixels = (height + 2 * border) * pitch() + border + readable_beyond;
  return (pixels * pixel_bytes() + 63) / 64 * 64;
}

void clear_borders(const Map& map, char* arena) {
  for (const auto block : map.blocks) {
    for (const auto part : {std::int64_t(0), map.rest_bytes}) {
      char* data = arena + block + part;
      const auto clear = [&](std::int64_t from, std::int64_t to) {
        std::memset(data + from, 0, std::size_t(to - from));
      };
      clear(0, map.pixel(0, 0));
      for (std::int64_t y = 0; y + 1 < map.height && map.border > 0; ++y) {
        clear(map.pixel(y, map.width), map.pixel(y + 1, 0));
      }
      clear(map.pixel(map.height - 1, map.width), map.block_bytes());
      if (map.rest_bytes == 0) break;
    }
  }
}

}  // namespace ichdet::native
