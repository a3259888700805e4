#include "means.hpp"

#include <algorithm>

#include "scratch.hpp"
#include "vectors.hpp"

namespace ichdet::native {

/// Sums over the planes of one row of pixels (x, 16), and over each plane's row (z, y, 16).
ICHDET_NATIVE void Means::add_rows(const char* arena, std::int64_t group, std::int64_t y, float* over_planes,
                                   float* row_sums) const {
  const auto& map = options_.map;
  const auto place = group * lanes;
  const char* block = arena + map.blocks[std::size_t(place / map.per_pixel)] + place % map.per_pixel * 2;
  for (std::int64_t z = 0; z < map.depth(); ++z) {
    const char* from = block + map.pixel(z, y, 0);
    __m512 row = _mm512_setzero_ps();
    for (std::int64_t x = 0; x < map.width(); ++x, from += map.pixel_bytes()) {
      const __m512 v = load_half(from, map.rest_bytes);
      row = _mm512_add_ps(row, v);
      float* sum = over_planes + x * lanes;
      _mm512_store_ps(sum, z == 0 ? v : _mm512_add_ps(_mm512_load_ps(sum), v));
    }
    _mm512_storeu_ps(row_sums + (z * map.height() + y) * lanes, row);
  }
}

void Means::run(char* arena, std::int64_t begin, std::int64_t end) const {
  const auto& map = options_.map;
  const auto plane = map.height() * map.width();
  const auto sums = scratch<float>(map.width() * lanes);
  for (auto unit = begin; unit < end; ++unit) {
    const auto group = unit / map.height(), y = unit % map.height();
    auto* row_sums = reinterpret_cast<float*>(arena + options_.row_sums) + group * map.rows() * lanes;
    add_rows(arena, group, y, sums.get(), row_sums);
    if (!options_.over_planes) continue;
    auto* to = reinterpret_cast<float*>(arena + *options_.over_planes) + y * map.width();
    const float share = 1.f / float(map.depth());
    const auto last = std::min(lanes, options_.channels - group * lanes);
    for (std::int64_t c = 0; c < last; ++c) {
      for (std::int64_t x = 0; x < map.width(); ++x) {
        to[(group * lanes + c) * plane + x] = sums[std::size_t(x * lanes + c)] * share;
      }
    }
  }
}

void Means::finish(char* arena) const {
  if (!options_.over_pixels) return;
  const auto& map = options_.map;
  const auto* row_sums = reinterpret_cast<const float*>(arena + options_.row_sums);
  auto* to = reinterpret_cast<float*>(arena + *options_.over_pixels);
  for (std::int64_t c = 0; c < options_.channels; ++c) {
    for (std::int64_t z = 0; z < map.depth(); ++z) {
      double sum = 0;
      for (std::int64_t y = 0; y < map.height(); ++y) {
        sum += double(row_sums[((c / lanes * map.depth() + z) * map.height() + y) * lanes + c % lanes]);
      }
      to[c * map.depth() + z] = float(sum / double(map.height() * map.width()));
    }
  }
}

}  // namespace ichdet::native
