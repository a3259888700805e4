#include "transfer.hpp"

#include <algorithm>

#include "../nn/tile_product.hpp"
#include "vectors.hpp"

namespace ichdet::native {
namespace {

/// Up to 32 channels of a row; the block's other places become zeros.
ICHDET_NATIVE void read_row(const float* from, const Strides& strides, std::int64_t count, std::int64_t width, char* to,
                            const Kept& kept) {
  for (std::int64_t x = 0; x < width; ++x, to += 2 * kept.half()) {
    alignas(64) float values[channels] = {};
    for (std::int64_t c = 0; c < count; ++c) values[c] = from[c * strides.channel + x * strides.pixel[2]];
    store_whole(to, kept, _mm512_load_ps(values), _mm512_load_ps(values + lanes));
  }
}

/// The low 16 bits of each pixel from one channel, the high ones from another.
ICHDET_VECTOR __m512i join(__m256i low, __m256i high) {
  return _mm512_or_si512(_mm512_cvtepu16_epi32(low), _mm512_slli_epi32(_mm512_cvtepu16_epi32(high), 16));
}

/// Four channels of 16 pixels, as four channels of each pixel; of the first 8 pixels, and of the last, what is chosen.
ICHDET_VECTOR void store_pixels(const __m256i (&channel)[4], char* to, __mmask16 first, __mmask16 last) {
  const __m512i lower = join(channel[0], channel[1]), upper = join(channel[2], channel[3]);
  const __m512i low = _mm512_set_epi32(23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  const __m512i high = _mm512_add_epi32(low, _mm512_set1_epi32(8));
  _mm512_mask_storeu_epi32(to, first, _mm512_permutex2var_epi32(lower, low, upper));
  _mm512_mask_storeu_epi32(to + 64, last, _mm512_permutex2var_epi32(lower, high, upper));
}

ICHDET_VECTOR __m512 low_pairs(__m512 x, __m512 y) {
  return _mm512_castpd_ps(_mm512_unpacklo_pd(_mm512_castps_pd(x), _mm512_castps_pd(y)));
}
ICHDET_VECTOR __m512 high_pairs(__m512 x, __m512 y) {
  return _mm512_castpd_ps(_mm512_unpackhi_pd(_mm512_castps_pd(x), _mm512_castps_pd(y)));
}

/// The same in float32, of as many pixels.
ICHDET_VECTOR void store_pixels(const __m512 (&channel)[4], char* to, std::int64_t pixels) {
  const __m512 low01 = _mm512_unpacklo_ps(channel[0], channel[1]), high01 = _mm512_unpackhi_ps(channel[0], channel[1]);
  const __m512 low23 = _mm512_unpacklo_ps(channel[2], channel[3]), high23 = _mm512_unpackhi_ps(channel[2], channel[3]);
  // Pixel 4 j + i in quarter j of of[i].
  const __m512 of[4] = {low_pairs(low01, low23), high_pairs(low01, low23), low_pairs(high01, high23),
                        high_pairs(high01, high23)};
  alignas(64) float each[4][lanes];
  for (int i = 0; i < 4; ++i) _mm512_store_ps(each[i], of[i]);
  for (std::int64_t p = 0; p < pixels; ++p)
    _mm_storeu_ps(reinterpret_cast<float*>(to) + 4 * p, _mm_load_ps(each[p % 4] + p / 4 * 4));
}

/// Up to four channels, for a narrow map.
ICHDET_NATIVE void read_narrow_row(const float* from, const Strides& strides, std::int64_t count, std::int64_t width,
                                   char* to, const Kept& kept) {
  const auto step = strides.pixel[2];
  const __m512i places = _mm512_mullo_epi32(_mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
                                            _mm512_set1_epi32(int(step)));
  for (std::int64_t x = 0; x < width; x += lanes, to += 4 * kept.half()) {
    const auto pixels = std::min(lanes, width - x);
    const auto loaded = __mmask16((1u << pixels) - 1);
    const auto stored = (std::uint64_t(1) << 2 * pixels) - 1;
    __m256i high[4], rest[4];
    __m512 exact[4];
    for (int c = 0; c < 4; ++c) {
      const float* at = from + c * strides.channel + x * step;
      __m512 v = _mm512_setzero_ps();
      if (c < count) {
        v = step == 1 ? _mm512_maskz_loadu_ps(loaded, at) : _mm512_mask_i32gather_ps(v, loaded, places, at, 4);
      }
      exact[c] = v;
      if (kept.value_bytes == 4) continue;
      high[c] = narrow(v);
      rest[c] = narrow(_mm512_sub_ps(v, widen(high[c])));
    }
    if (kept.value_bytes == 4) {
      store_pixels(exact, to, pixels);
      continue;
    }
    store_pixels(high, to, __mmask16(stored), __mmask16(stored >> 16));
    if (kept.rest_bytes != 0) store_pixels(rest, to + kept.rest_bytes, __mmask16(stored), __mmask16(stored >> 16));
  }
}

float value(const char* at, const Kept& kept) {
  if (kept.value_bytes == 4) return *reinterpret_cast<const float*>(at);
  const auto part = [](const char* from) { return nn::from_bf16(*reinterpret_cast<const std::uint16_t*>(from)); };
  return kept.rest_bytes == 0 ? part(at) : part(at) + part(at + kept.rest_bytes);
}

}  // namespace

void read_rows(const float* image, const Strides& strides, std::int64_t image_channels, const Map& map, char* arena,
               std::int64_t begin, std::int64_t end) {
  for (std::size_t block = 0; block < map.blocks.size(); ++block) {
    const auto first = std::int64_t(block) * map.per_pixel;
    for (auto row = begin; row < end; ++row) {
      const auto read = map.per_pixel == 4 ? read_narrow_row : read_row;
      const auto from = row / map.height() * strides.pixel[0] + row % map.height() * strides.pixel[1];
      read(image + first * strides.channel + from, strides, std::min(image_channels - first, map.per_pixel),
           map.width(), arena + map.blocks[block] + map.row(row), map.kept);
    }
  }
}

void write_rows(const Map& map, const std::vector<std::int64_t>& channel_of, const char* arena, float* image,
                const Strides& strides, std::int64_t begin, std::int64_t end) {
  for (std::size_t c = 0; c < channel_of.size(); ++c) {
    const auto place = channel_of[c];
    const char* block = arena + map.blocks[std::size_t(place / map.per_pixel)] + map.within(place);
    for (auto row = begin; row < end; ++row) {
      const char* from = block + map.row(row);
      float* to = image + std::int64_t(c) * strides.channel + row / map.height() * strides.pixel[0] +
                  row % map.height() * strides.pixel[1];
      for (std::int64_t x = 0; x < map.width(); ++x, from += map.pixel_bytes(), to += strides.pixel[2]) {
        *to = value(from, map.kept);
      }
    }
  }
}

}  // namespace ichdet::native
