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

ICHDET_SIMD void add_affine_prelu(const float* x, const float* __restrict shortcut, const float* __restrict scale,
                                  const float* __restrict shift, float slope, float* out, float* __restrict kept,
                                  std::int64_t n) {
  if (shortcut != nullptr && kept != nullptr) {
#pragma GCC ivdep
    for (std::int64_t i = 0; i < n; ++i) {
      const float sum = x[i] + shortcut[i], value = sum * scale[i] + shift[i];
      kept[i] = sum;
      out[i] = value > 0 ? value : slope * value;
    }
  } else if (shortcut != nullptr) {
#pragma GCC ivdep
    for (std::int64_t i = 0; i < n; ++i) {
      const float value = (x[i] + shortcut[i]) * scale[i] + shift[i];
      out[i] = value > 0 ? value : slope * value;
    }
  } else {
#pragma GCC ivdep
    for (std::int64_t i = 0; i < n; ++i) {
      const float value = x[i] * scale[i] + shift[i];
      out[i] = value > 0 ? value : slope * value;
    }
    if (kept != nullptr) std::copy_n(x, n, kept);
  }
}

ICHDET_SIMD void add(float* __restrict x, const float* __restrict shortcut, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) x[i] += shortcut[i];
}

ICHDET_SIMD void convolve_first(const float* const* rows, const float* __restrict weight, const float* __restrict bias,
                                float* __restrict out, std::int64_t width, std::int64_t channels) {
  constexpr int lanes = 32, block = 4;
  for (std::int64_t x = 0; x < width; x += block) {
    const auto count = std::min<std::int64_t>(block, width - x);
    float sums[block][lanes];
    for (int v = 0; v < block; ++v) {
      for (int c = 0; c < lanes; ++c) sums[v][c] = bias[c];
    }
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
