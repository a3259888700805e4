#include "map.hpp"

#include <cstring>

namespace ichdet::native {
namespace {

constexpr std::int64_t readable_beyond = 32;  // pixels

}  // namespace

std::int64_t Map::block_bytes() const {
  const auto last = pixel(size[0] - 1 + border[0], size[1] - 1 + border[1], size[2] - 1 + border[2]);
  return (last + (1 + readable_beyond) * pixel_bytes() + 63) / 64 * 64;
}

void clear_borders(const Map& map, char* arena) {
  for (const auto block : map.blocks) {
    for (const auto part : {std::int64_t(0), map.kept.rest_bytes}) {
      char* data = arena + block + part;
      std::int64_t end_of_last = 0;
      const auto clear_to = [&](std::int64_t to) { std::memset(data + end_of_last, 0, std::size_t(to - end_of_last)); };
      for (std::int64_t row = 0; row < map.rows(); ++row) {
        clear_to(map.row(row));
        end_of_last = map.row(row) + map.width() * map.pixel_bytes();
      }
      clear_to(map.block_bytes());
      if (map.kept.rest_bytes == 0) break;
    }
  }
}

}  // namespace ichdet::native
