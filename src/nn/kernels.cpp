#include "kernels.hpp"

#include <algorithm>

namespace ichdet::nn {

AffinePrelu AffinePrelu::repeated(std::int64_t count) const {
  AffinePrelu row;
  row.slope = slope;
  for (std::int64_t i = 0; i < count; ++i) {
    row.scale.insert(row.scale.end(), scale.begin(), scale.end());
    row.shift.insert(row.shift.end(), shift.begin(), shift.end());
  }
  return row;
}

ICHDET_SIMD void affine_prelu(const float* x, const float* __restrict scale, const float* __restrict shift, float slope,
                              float* out, std::int64_t n) {
#pragma GCC ivdep
  for (std::int64_t i = 0; i < n; ++i) {
    const float value = x[i] * scale[i] + shift[i];
    out[i] = value > 0 ? value : slope * value;
  }
}

namespace {

/// `n` channels from `first` on; their numbers in registers where n is known to the compiler.
template <bool has_shortcut, bool has_kept>
[[gnu::always_inline]] inline void finish_channels(const Finishing& how, std::int64_t first, std::int64_t n,
                                                   const float* __restrict sums, const float* __restrict shortcut,
                                                   float* __restrict out, float* __restrict kept) {
  const float* __restrict bias = how.bias + first, * __restrict scale = how.scale + first, * __restrict shift = how.shift + first;
  const auto channels = how.channels, step = how.step;
  const float slope = how.slope;
  constexpr std::int64_t ahead = 12;  // pixels
  for (std::int64_t pixel = 0; pixel < how.pixels; ++pixel) {
    const float* __restrict from = sums + pixel * channels + first;
    const auto at = pixel * step + first;
    // What is written and read here is in no cache, and comes in pieces too short for the processor to foresee.
    if constexpr (has_shortcut) __builtin_prefetch(shortcut + at + ahead * step);
    if constexpr (has_kept) __builtin_prefetch(kept + at + ahead * step, 1);
    __builtin_prefetch(out + at + ahead * step, 1);
#pragma GCC ivdep
    for (std::int64_t c = 0; c < n; ++c) {
      float v = from[c] + bias[c];
      if constexpr (has_shortcut) v += shortcut[at + c];
      if constexpr (has_kept) kept[at + c] = v;
      const float value = v * scale[c] + shift[c];
      out[at + c] = value > 0 ? value : slope * value;
    }
  }
}

template <bool has_shortcut, bool has_kept>
[[gnu::always_inline]] inline void finish_all(const Finishing& how, const float* sums, const float* shortcut,
                                              float* out, float* kept) {
  constexpr std::int64_t together = 16;
  std::int64_t first = 0;
  for (; first + together <= how.channels; first += together) {
    finish_channels<has_shortcut, has_kept>(how, first, together, sums, shortcut, out, kept);
  }
  if (first < how.channels) {
    finish_channels<has_shortcut, has_kept>(how, first, how.channels - first, sums, shortcut, out, kept);
  }
}

}  // namespace

ICHDET_SIMD void finish_pixels(const Finishing& how, const float* sums, const float* shortcut, float* out,
                               float* kept) {
  if (shortcut != nullptr && kept != nullptr) return finish_all<true, true>(how, sums, shortcut, out, kept);
  if (shortcut != nullptr) return finish_all<true, false>(how, sums, shortcut, out, kept);
  if (kept != nullptr) return finish_all<false, true>(how, sums, shortcut, out, kept);
  finish_all<false, false>(how, sums, shortcut, out, kept);
}

ICHDET_SIMD void add(float* __restrict x, const float* __restrict shortcut, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) x[i] += shortcut[i];
}

ICHDET_SIMD void convolve_first(const float* const* rows, const float* __restrict weight, float* __restrict out,
                                std::int64_t width, std::int64_t channels) {
  constexpr int lanes = 32, block = 4;
  for (std::int64_t x = 0; x < width; x += block) {
    const auto count = std::min<std::int64_t>(block, width - x);
    float sums[block][lanes] = {};
    for (int tap = 0; tap < 27; ++tap) {
      const float* row = rows[tap / 3] + x + tap % 3;
      for (int v = 0; v < block; ++v) {
        const float value = row[v < count ? v : 0];
        for (int c = 0; c < lanes; ++c) sums[v][c] += value * weight[tap * lanes + c];
      }
    }
    for (std::int64_t v = 0; v < count; ++v) std::copy_n(sums[v], channels, out + (x + v) * channels);
  }
}

}  // namespace ichdet::nn
