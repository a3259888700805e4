#include "combination.hpp"

#include <algorithm>

namespace ichdet::native {
namespace {

struct Channels {
  __m512 scale[2], shift[2];
};

ICHDET_VECTOR Channels channel_values(const Combination::Options& o, const char* arena, std::int64_t block) {
  Channels v;
  for (int half = 0; half < 2; ++half) {
    const auto place = block * channels + half * lanes;
    v.scale[half] = o.scale.empty() ? _mm512_set1_ps(1) : _mm512_loadu_ps(o.scale.data() + place);
    v.shift[half] = o.shift.empty() ? _mm512_setzero_ps() : _mm512_loadu_ps(o.shift.data() + place);
    if (o.gate) {
      const auto* gate = reinterpret_cast<const float*>(arena + *o.gate);
      v.scale[half] = _mm512_mul_ps(v.scale[half], _mm512_loadu_ps(gate + place));
    }
  }
  return v;
}

ICHDET_NATIVE void combine_row(const Combination::Options& o, char* arena, std::int64_t block, std::int64_t y) {
  const auto v = channel_values(o, arena, block);
  const auto b = std::size_t(block);
  char* out = arena + o.out.blocks[b] + o.out.pixel(y, 0);
  for (std::int64_t x = 0; x < o.out.width; ++x, out += 64) {
    __m512 sum[2] = {_mm512_setzero_ps(), _mm512_setzero_ps()};
    for (const auto& term : o.terms) {
      const auto& map = term.map;
      const auto from_y = term.rows.empty() ? y : term.rows[std::size_t(y)];
      const auto from_x = term.columns.empty() ? x : term.columns[std::size_t(x)];
      const char* from = arena + map.blocks[b] + map.pixel(from_y, from_x);
      const __m512 factor = _mm512_set1_ps(term.factor);
      sum[0] = _mm512_fmadd_ps(load_half(from, map.rest_bytes), factor, sum[0]);
      sum[1] = _mm512_fmadd_ps(load_half(from + 32, map.rest_bytes), factor, sum[1]);
    }
    for (int half = 0; half < 2; ++half) {
      sum[half] = apply(o.activation, _mm512_fmadd_ps(sum[half], v.scale[half], v.shift[half]));
    }
    store_whole(out, o.out.rest_bytes, sum[0], sum[1]);
  }
}

}  // namespace

void Combination::run(char* arena, std::int64_t begin, std::int64_t end) const {
  for (std::int64_t unit = begin; unit < end; ++unit) {
    combine_row(options_, arena, unit / options_.out.height, unit % options_.out.height);
  }
}

}  // namespace ichdet::native
