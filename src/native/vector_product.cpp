#include <algorithm>
#include <array>
#include <bit>
#include <utility>

#include "vectors.hpp"

namespace ichdet::native {
namespace {

/// One channel of float32, or two of bfloat16, of a pixel.
struct Four {
  char bytes[4];
};

ICHDET_VECTOR __m512 broadcast(const Four& pixel) { return _mm512_set1_ps(std::bit_cast<float>(pixel)); }

/// Adds their products with those of 16 outputs. In assembly, since GCC would move sums from register to register.
template <bool float32>
ICHDET_VECTOR void add_product(__m512& sum, __m512 pixel, __m512 weights) {
  if constexpr (float32) {
    asm("vfmadd231ps %2, %1, %0" : "+v"(sum) : "v"(pixel), "v"(weights));
  } else {
    asm("vdpbf16ps %2, %1, %0" : "+v"(sum) : "v"(pixel), "v"(weights));
  }
}
/// With the pixel in all lanes, as it is read.
template <bool float32>
ICHDET_VECTOR void add_product(__m512& sum, const Four& pixel, __m512 weights) {
  if constexpr (float32) {
    asm("vfmadd231ps %1%{1to16%}, %2, %0" : "+v"(sum) : "m"(pixel), "v"(weights));
  } else {
    asm("vdpbf16ps %1%{1to16%}, %2, %0" : "+v"(sum) : "m"(pixel), "v"(weights));
  }
}

/// Adds steps `begin` to `end` of `count` pixels to their sums, which stay in registers meanwhile.
template <bool float32, int groups, int count>
ICHDET_NATIVE void multiply_pixels(const WeightsView& weights, const char* const (&first)[2], const Pixels& pixels,
                                   std::int64_t begin, std::int64_t end, const char* tile, float* sums) {
  constexpr std::int64_t step_bytes = sizeof(WeightTile) * (float32 ? 2 : 1);
  const char *upper = first[0] + begin * step_bytes, *lower = first[1] + begin * step_bytes;
  const auto pixel_bytes = pixels.pixel_bytes;
  __m512 sum[groups][count];
#pragma GCC unroll 16
  for (int i = 0; i < count; ++i) {
#pragma GCC unroll 2
    for (int g = 0; g < groups; ++g) {
      sum[g][i] = begin == 0 ? _mm512_setzero_ps() : _mm512_load_ps(sums + (i * groups + g) * lanes);
    }
  }
  for (auto step = begin; step < end; ++step, upper += step_bytes, lower += step_bytes) {
    const char *x = tile + pixels.offsets[step], *const last = x + weights.used[step] * 4;
    const char *w = upper, *v = lower, *next = x + count * pixel_bytes;
    do {
      _mm_prefetch(next, _MM_HINT_T0);
      _mm_prefetch(next + 64, _MM_HINT_T0);
      next += pixel_bytes;
#pragma GCC unroll 4
      for (int c = 0; c < 4; ++c) {
        const __m512 w0 = _mm512_load_ps(w + c * 64);
        __m512 w1 = w0;
        if constexpr (groups == 2) w1 = _mm512_load_ps(v + c * 64);
#pragma GCC unroll 16
        for (int i = 0; i < count; ++i) {
          const auto& pixel = *reinterpret_cast<const Four*>(x + i * pixel_bytes + c * 4);
          if constexpr (groups == 2) {
            const __m512 all = broadcast(pixel);
            add_product<float32>(sum[0][i], all, w0);
            add_product<float32>(sum[1][i], all, w1);
          } else {
            add_product<float32>(sum[0][i], pixel, w0);
          }
        }
      }
      x += 16;
      w += 256;
      v += 256;
    } while (x < last);
  }
#pragma GCC unroll 16
  for (int i = 0; i < count; ++i) {
#pragma GCC unroll 2
    for (int g = 0; g < groups; ++g) _mm512_store_ps(sums + (i * groups + g) * lanes, sum[g][i]);
  }
}

using MultiplyPixels = decltype(&multiply_pixels<true, 1, 1>);

template <bool float32, int groups, int... count>
constexpr std::array<MultiplyPixels, sizeof...(count)> of_counts(std::integer_sequence<int, count...>) {
  return {&multiply_pixels<float32, groups, count + 1>...};
}

/// By the number of pixels, less one.
template <bool float32>
constexpr auto one_group = of_counts<float32, 1>(std::make_integer_sequence<int, 16>());
template <bool float32>
constexpr auto two_groups = of_counts<float32, 2>(std::make_integer_sequence<int, 8>());

/// Some steps for all pixels, then the next ones: their weights stay in the first cache.
template <bool float32>
void multiply_tiles(const WeightsView& weights, std::int64_t group, int groups, const Pixels& pixels,
                    const char* const* tiles, int count, float* sums) {
  constexpr std::int64_t most_together = float32 ? 5 : 10;
  const auto together = (weights.steps - 1) / ((weights.steps + most_together - 1) / most_together) + 1;
  const auto* w = reinterpret_cast<const char*>(weights.group(group));
  const char* const first[2] = {w, groups == 2 ? reinterpret_cast<const char*>(weights.group(group + 1)) : w};
  for (std::int64_t begin = 0; begin < weights.steps; begin += together) {
    const auto end = std::min(weights.steps, begin + together);
    for (int i = 0; i < count; ++i) {
      const int wanted = pixels.wanted == nullptr ? int(lanes) : pixels.wanted[i];
      const char* x = tiles[i];
      float* to = sums + i * lanes * lanes * groups;
      if (groups == 1) {
        one_group<float32>[std::size_t(wanted - 1)](weights, first, pixels, begin, end, x, to);
        continue;
      }
      const int here = wanted > 8 ? (wanted + 1) / 2 : wanted;
      two_groups<float32>[std::size_t(here - 1)](weights, first, pixels, begin, end, x, to);
      if (wanted == here) continue;
      two_groups<float32>[std::size_t(wanted - here - 1)](weights, first, pixels, begin, end,
                                                          x + here * pixels.pixel_bytes, to + here * 2 * lanes);
    }
  }
}

}  // namespace

void multiply_vectors(const WeightsView& weights, std::int64_t group, int groups, const Pixels& pixels,
                      const char* const* tiles, int count, float* sums) {
  if (weights.format == Format::float32) {
    multiply_tiles<true>(weights, group, groups, pixels, tiles, count, sums);
  } else {
    multiply_tiles<false>(weights, group, groups, pixels, tiles, count, sums);
  }
}

}  // namespace ichdet::native
