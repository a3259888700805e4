#include "pooling.hpp"

#include <algorithm>
#include <limits>

namespace ichdet::native {
namespace {

/// What is no number stays.
ICHDET_VECTOR __m512 larger(__m512 x, __m512 y) {
  return _mm512_mask_mov_ps(_mm512_max_ps(x, y), _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q), x);
}

/// What a window reaches along one axis.
struct Reach {
  std::int64_t first, last;  ///< pixels of the map
  std::int64_t counted;      ///< with the padding that counts
};

Reach reach(const Pooling::Options& o, std::size_t axis, std::int64_t to) {
  const auto begin = to * o.shape.stride[axis] - o.shape.padding[axis], end = begin + o.shape.kernel[axis];
  const auto length = o.in.size[axis];
  return {std::max<std::int64_t>(begin, 0), std::min(end, length),
          std::min(end, length + o.shape.padding[axis]) - begin};
}

ICHDET_NATIVE void pool_row(const Pooling::Options& o, char* arena, std::int64_t block, std::int64_t row) {
  const auto& [shape, in, out, maximum, count_padding] = o;
  const auto b = std::size_t(block);
  const auto along_z = reach(o, 0, row / out.height()), along_y = reach(o, 1, row % out.height());
  char* to = arena + out.blocks[b] + out.row(row);
  for (std::int64_t x = 0; x < out.width(); ++x, to += out.pixel_bytes()) {
    const auto along_x = reach(o, 2, x);
    const __m512 none = _mm512_set1_ps(maximum ? -std::numeric_limits<float>::infinity() : 0);
    __m512 value[2] = {none, none};
    for (auto z = along_z.first; z < along_z.last; ++z) {
      for (auto y = along_y.first; y < along_y.last; ++y) {
        const char* from = arena + in.blocks[b] + in.pixel(z, y, along_x.first);
        for (auto i = along_x.first; i < along_x.last; ++i, from += in.pixel_bytes()) {
          for (int half = 0; half < in.per_pixel / lanes; ++half) {
            const __m512 v = load_half(from + half * in.kept.half(), in.kept);
            value[half] = maximum ? larger(value[half], v) : _mm512_add_ps(value[half], v);
          }
        }
      }
    }
    if (!maximum) {
      const auto held = [](const Reach& r) { return r.last - r.first; };
      const auto count = count_padding ? along_z.counted * along_y.counted * along_x.counted
                                       : held(along_z) * held(along_y) * held(along_x);
      const __m512 share = _mm512_set1_ps(1.f / float(count));
      for (auto& v : value) v = _mm512_mul_ps(v, share);
    }
    for (int half = 0; half < out.per_pixel / lanes; ++half)
      store_half(to + half * out.kept.half(), out.kept, value[half]);
  }
}

}  // namespace

void Pooling::run(char* arena, std::int64_t begin, std::int64_t end) const {
  const auto rows = options_.out.rows();
  for (std::int64_t unit = begin; unit < end; ++unit) pool_row(options_, arena, unit / rows, unit % rows);
}

ICHDET_NATIVE void sum_block(const Map& map, char* arena, std::int64_t block, std::int64_t to) {
  double total[channels] = {};
  for (std::int64_t row = 0; row < map.rows(); ++row) {
    const char* from = arena + map.blocks[std::size_t(block)] + map.row(row);
    __m512 sum[2] = {_mm512_setzero_ps(), _mm512_setzero_ps()};
    for (std::int64_t x = 0; x < map.width(); ++x, from += map.pixel_bytes()) {
      for (int half = 0; half < map.per_pixel / lanes; ++half) {
        sum[half] = _mm512_add_ps(sum[half], load_half(from + half * map.kept.half(), map.kept));
      }
    }
    alignas(64) float values[channels];
    _mm512_store_ps(values, sum[0]);
    _mm512_store_ps(values + lanes, sum[1]);
    for (std::int64_t c = 0; c < map.per_pixel; ++c) total[c] += double(values[c]);
  }
  auto* sums = reinterpret_cast<float*>(arena + to) + block * map.per_pixel;
  for (std::int64_t c = 0; c < map.per_pixel; ++c) sums[c] = float(total[c]);
}

}  // namespace ichdet::native
