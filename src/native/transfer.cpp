#include "transfer.hpp"

#include <algorithm>
#include <bit>

#include "vectors.hpp"

namespace ichdet::native {
namespace {

ICHDET_NATIVE void read_row(const float* from, std::int64_t plane, std::int64_t count, std::int64_t width,
                            std::int64_t places, char* to, std::int64_t pixel_bytes, std::int64_t rest_bytes) {
  for (std::int64_t x = 0; x < width; ++x, to += pixel_bytes) {
    alignas(64) float values[lanes] = {};
    for (std::int64_t first = 0; first < places; first += lanes) {
      const auto here = std::clamp<std::int64_t>(count - first, 0, lanes);
      for (std::int64_t c = 0; c < here; ++c) values[c] = from[(first + c) * plane + x];
      std::fill(values + here, values + lanes, 0.f);
      const __m512 v = _mm512_load_ps(values);
      if (pixel_bytes == 64) {
        store_half(to + first * 2, rest_bytes, v);
        continue;
      }
      const __m256i high = narrow(v);
      _mm_storel_epi64(reinterpret_cast<__m128i*>(to), _mm256_castsi256_si128(high));
      if (rest_bytes != 0) {
        const __m256i rest = narrow(_mm512_sub_ps(v, widen(high)));
        _mm_storel_epi64(reinterpret_cast<__m128i*>(to + rest_bytes), _mm256_castsi256_si128(rest));
      }
    }
  }
}

float value(const char* at) {
  return std::bit_cast<float>(std::uint32_t(*reinterpret_cast<const std::uint16_t*>(at)) << 16);
}

}  // namespace

void read_rows(const float* image, std::int64_t image_channels, const Map& map, char* arena, std::int64_t begin,
               std::int64_t end) {
  const auto plane = map.height * map.width;
  for (std::size_t block = 0; block < map.blocks.size(); ++block) {
    const auto first = std::int64_t(block) * channels;
    for (auto y = begin; y < end; ++y) {
      read_row(image + first * plane + y * map.width, plane, std::min(image_channels - first, channels), map.width,
               map.narrow ? 4 : channels, arena + map.blocks[block] + map.pixel(y, 0), map.pixel_bytes(),
               map.rest_bytes);
    }
  }
}

void write_rows(const Map& map, const std::vector<std::int64_t>& channel_of, const char* arena, float* image,
                std::int64_t begin, std::int64_t end) {
  for (std::size_t c = 0; c < channel_of.size(); ++c) {
    const auto place = channel_of[c];
    const char* block = arena + map.blocks[std::size_t(place / channels)] + place % channels * 2;
    for (auto y = begin; y < end; ++y) {
      const char* from = block + map.pixel(y, 0);
      float* to = image + (std::int64_t(c) * map.height + y) * map.width;
      for (std::int64_t x = 0; x < map.width; ++x, from += map.pixel_bytes()) {
        to[x] = value(from) + (map.rest_bytes != 0 ? value(from + map.rest_bytes) : 0);
      }
    }
  }
}

}  // namespace ichdet::native
