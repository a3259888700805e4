#include "pooling.hpp"

#include <algorithm>
#include <limits>

namespace ichdet::native {
namespace {

/// What is no number stays.
ICHDET_VECTOR __m512 larger(__m512 x, __m512 y) {
  return _mm512_mask_mov_ps(_mm512_max_ps(x, y), _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q), x);
}

ICHDET_NATIVE void pool_row(const Pooling::Options& o, char* arena, std::int64_t block, std::int64_t y) {
  const auto& [shape, in, out, maximum, count_padding] = o;
  const auto b = std::size_t(block);
  const auto top = y * shape.stride[0] - shape.padding[0];
  const auto first_y = std::max<std::int64_t>(top, 0), last_y = std::min(top + shape.kernel[0], in.height);
  const auto counted_y = std::min(top + shape.kernel[0], in.height + shape.padding[0]) - top;
  for (std::int64_t x = 0; x < out.width; ++x) {
    const auto left = x * shape.stride[1] - shape.padding[1];
    const auto first_x = std::max<std::int64_t>(left, 0), last_x = std::min(left + shape.kernel[1], in.width);
    const auto counted_x = std::min(left + shape.kernel[1], in.width + shape.padding[1]) - left;
    const __m512 none = _mm512_set1_ps(maximum ? -std::numeric_limits<float>::infinity() : 0);
    __m512 value[2] = {none, none};
    for (auto from_y = first_y; from_y < last_y; ++from_y) {
      const char* from = arena + in.blocks[b] + in.pixel(from_y, first_x);
      for (auto i = first_x; i < last_x; ++i, from += 64) {
        const __m512 v0 = load_half(from, in.rest_bytes), v1 = load_half(from + 32, in.rest_bytes);
        value[0] = maximum ? larger(value[0], v0) : _mm512_add_ps(value[0], v0);
        value[1] = maximum ? larger(value[1], v1) : _mm512_add_ps(value[1], v1);
      }
    }
    if (!maximum) {
      const auto count = count_padding ? counted_y * counted_x : (last_y - first_y) * (last_x - first_x);
      const __m512 share = _mm512_set1_ps(1.f / float(count));
      for (auto& v : value) v = _mm512_mul_ps(v, share);
    }
    store_whole(arena + out.blocks[b] + out.pixel(y, x), out.rest_bytes, value[0], value[1]);
  }
}

}  // namespace

void Pooling::run(char* arena, std::int64_t begin, std::int64_t end) const {
  for (std::int64_t unit = begin; unit < end; ++unit) {
    pool_row(options_, arena, unit / options_.out.height, unit % options_.out.height);
  }
}

ICHDET_NATIVE void sum_block(const Map& map, char* arena, std::int64_t block, std::int64_t to) {
  __m512 total[2] = {_mm512_setzero_ps(), _mm512_setzero_ps()};
  for (std::int64_t y = 0; y < map.height; ++y) {
    const char* from = arena + map.blocks[std::size_t(block)] + map.pixel(y, 0);
    for (std::int64_t x = 0; x < map.width; ++x, from += 64) {
      total[0] = _mm512_add_ps(total[0], load_half(from, map.rest_bytes));
      total[1] = _mm512_add_ps(total[1], load_half(from + 32, map.rest_bytes));
    }
  }
  auto* sums = reinterpret_cast<float*>(arena + to) + block * channels;
  _mm512_storeu_ps(sums, total[0]);
  _mm512_storeu_ps(sums + lanes, total[1]);
}

}  // namespace ichdet::native
