#include "pooling_gradient.hpp"

#include <algorithm>
#include <limits>

#include "scratch.hpp"

namespace ichdet::native {
namespace {

/// Sixteen channels of the whole image, summed in float32.
ICHDET_NATIVE void spread(const PoolingGradient::Options& o, char* arena, std::int64_t unit) {
  const auto& [shape, in, gradient, out, slope] = o;
  const auto halves = out.per_pixel / lanes;
  const auto b = std::size_t(unit / halves);
  const auto half = unit % halves * in.kept.half();
  const auto height = in.height(), width = in.width();
  const auto sums = scratch<float>(height * width * lanes);
  std::fill_n(sums.get(), height * width * lanes, 0.f);
  const __m512i lane_numbers = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  for (std::int64_t y = 0; y < gradient.height(); ++y) {
    const auto top = y * shape.stride[1] - shape.padding[1];
    const char* g = arena + gradient.blocks[b] + gradient.row(y) + half;
    for (std::int64_t x = 0; x < gradient.width(); ++x, g += gradient.pixel_bytes()) {
      const auto left = x * shape.stride[2] - shape.padding[2];
      __m512 best = _mm512_set1_ps(-std::numeric_limits<float>::infinity());
      __m512i where = _mm512_set1_epi32(int(std::max<std::int64_t>(top, 0) * width + std::max<std::int64_t>(left, 0)));
      for (auto i = std::max<std::int64_t>(top, 0); i < std::min(top + shape.kernel[1], height); ++i) {
        for (auto j = std::max<std::int64_t>(left, 0); j < std::min(left + shape.kernel[2], width); ++j) {
          const __m512 v = load_half(arena + in.blocks[b] + in.pixel(0, i, j) + half, in.kept);
          const auto more = _mm512_cmp_ps_mask(v, best, _CMP_GT_OQ);
          best = _mm512_mask_mov_ps(best, more, v);
          where = _mm512_mask_mov_epi32(where, more, _mm512_set1_epi32(int(i * width + j)));
        }
      }
      const __m512i place = _mm512_add_epi32(_mm512_slli_epi32(where, 4), lane_numbers);
      const __m512 before = _mm512_i32gather_ps(place, sums.get(), 4);
      _mm512_i32scatter_ps(sums.get(), place, _mm512_add_ps(before, load_half(g, gradient.kept)), 4);
    }
  }
  const float* from = sums.get();
  for (std::int64_t y = 0; y < height; ++y) {
    char* to = arena + out.blocks[b] + out.row(y) + half;
    const char* slope_at = slope ? arena + slope->map.blocks[b] + slope->map.row(y) + half : nullptr;
    for (std::int64_t x = 0; x < width; ++x, from += lanes, to += out.pixel_bytes()) {
      __m512 v = _mm512_loadu_ps(from);
      if (slope_at != nullptr) {
        v = slope_times(slope->slope, v, slope_at + x * slope->map.pixel_bytes(), slope->map.kept);
      }
      store_half(to, out.kept, v);
    }
  }
}

}  // namespace

void PoolingGradient::run(char* arena, std::int64_t begin, std::int64_t end) const {
  for (std::int64_t unit = begin; unit < end; ++unit) spread(options_, arena, unit);
}

}  // namespace ichdet::native
