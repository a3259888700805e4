#pragma once

#include <immintrin.h>

#include <cstdint>

#include "tiles.hpp"

// Sixteen floats, and how they are kept.
namespace ichdet::native {

#define ICHDET_VECTOR [[gnu::always_inline]] ICHDET_NATIVE inline

enum class Act { none, relu, leaky_relu, clamp, silu, sigmoid };

struct Activation {
  Act act = Act::none;
  float low = 0, high = 0;  ///< of clamp; `low` is the slope of leaky_relu
};

/// An activation's derivative, by what it was given, of `positive` and `sigmoid` by what it gave.
enum class SlopeKind { positive, leaky, between, silu, sigmoid };

struct Slope {
  SlopeKind kind = SlopeKind::positive;
  float low = 0, high = 0;  ///< of between; `low` is the slope of leaky
};

ICHDET_VECTOR __m512 widen(__m256i bf16) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bf16), 16));
}
ICHDET_VECTOR __m512 load16(const void* bf16) { return widen(_mm256_loadu_si256(static_cast<const __m256i*>(bf16))); }
ICHDET_VECTOR __m256i narrow(__m512 x) { return (__m256i)_mm512_cvtneps_pbh(x); }

/// e^x within 2 units in the last place, for the range where the result is finite; beyond it 0 or infinity.
ICHDET_VECTOR __m512 exponential(__m512 x) {
  const __m512 log2e = _mm512_set1_ps(1.442695041f);
  const __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(x, log2e), 0);
  __m512 r = _mm512_fnmadd_ps(n, _mm512_set1_ps(0.693145752f), x);
  r = _mm512_fnmadd_ps(n, _mm512_set1_ps(1.42860677e-6f), r);
  __m512 p = _mm512_set1_ps(1.38888889e-3f);
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(8.33333333e-3f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(4.16666667e-2f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.66666667e-1f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.5f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1));
  return _mm512_scalef_ps(p, n);
}

/// 1 / (1 + e^-x). Of two operands, maximum and minimum give the second where one is no number.
ICHDET_VECTOR __m512 logistic(__m512 x) {
  const __m512 minus = _mm512_sub_ps(_mm512_setzero_ps(), x);
  const __m512 bounded = _mm512_min_ps(_mm512_set1_ps(80), _mm512_max_ps(_mm512_set1_ps(-80), minus));
  const __m512 d = _mm512_add_ps(_mm512_set1_ps(1), exponential(bounded));
  const __m512 guess = _mm512_rcp14_ps(d);
  return _mm512_mul_ps(guess, _mm512_fnmadd_ps(d, guess, _mm512_set1_ps(2)));
}

ICHDET_VECTOR __m512 apply(const Activation& activation, __m512 x) {
  switch (activation.act) {
    case Act::none: return x;
    case Act::relu: return _mm512_max_ps(_mm512_setzero_ps(), x);
    case Act::leaky_relu: {
      const auto negative = _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_LT_OQ);
      return _mm512_mask_mul_ps(x, negative, x, _mm512_set1_ps(activation.low));
    }
    case Act::clamp:
      return _mm512_min_ps(_mm512_set1_ps(activation.high), _mm512_max_ps(_mm512_set1_ps(activation.low), x));
    case Act::silu: return _mm512_mul_ps(x, logistic(x));
    case Act::sigmoid: return logistic(x);
  }
  return x;
}

/// Sixteen channels of a pixel.
ICHDET_VECTOR __m512 load_half(const char* from, const Kept& kept) {
  if (kept.value_bytes == 4) return _mm512_loadu_ps(from);
  const __m512 x = load16(from);
  return kept.rest_bytes == 0 ? x : _mm512_add_ps(x, load16(from + kept.rest_bytes));
}
/// A gradient times the slope at sixteen channels of a pixel.
ICHDET_VECTOR __m512 slope_times(const Slope& slope, __m512 gradient, const char* at, const Kept& kept) {
  if (slope.kind == SlopeKind::positive && kept.value_bytes == 2) {  // what rounding took does not change a sign
    const auto half = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at));
    return _mm512_maskz_mov_ps(_mm256_cmpgt_epi16_mask(half, _mm256_setzero_si256()), gradient);
  }
  const __m512 x = load_half(at, kept), one = _mm512_set1_ps(1);
  switch (slope.kind) {
    case SlopeKind::positive:
      return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_GT_OQ), gradient);
    case SlopeKind::leaky: {
      const auto negative = _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_LE_OQ);
      return _mm512_mask_mul_ps(gradient, negative, gradient, _mm512_set1_ps(slope.low));
    }
    case SlopeKind::between: {
      const auto above = _mm512_cmp_ps_mask(x, _mm512_set1_ps(slope.low), _CMP_GT_OQ);
      return _mm512_maskz_mov_ps(above & _mm512_cmp_ps_mask(x, _mm512_set1_ps(slope.high), _CMP_LT_OQ), gradient);
    }
    case SlopeKind::silu: {
      const __m512 s = logistic(x), rest = _mm512_mul_ps(x, _mm512_sub_ps(one, s));
      return _mm512_mul_ps(gradient, _mm512_mul_ps(s, _mm512_add_ps(one, rest)));
    }
    case SlopeKind::sigmoid: return _mm512_mul_ps(gradient, _mm512_mul_ps(x, _mm512_sub_ps(one, x)));
  }
  return gradient;
}

ICHDET_VECTOR void store_half(char* to, const Kept& kept, __m512 x) {
  if (kept.value_bytes == 4) return _mm512_storeu_ps(to, x);
  const __m256i high = narrow(x);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), high);
  if (kept.rest_bytes != 0) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + kept.rest_bytes), narrow(_mm512_sub_ps(x, widen(high))));
  }
}
/// All 32, `x` the first half.
ICHDET_VECTOR void store_whole(char* to, const Kept& kept, __m512 x, __m512 y) {
  if (kept.value_bytes == 4) {
    _mm512_storeu_ps(to, x);
    _mm512_storeu_ps(to + 64, y);
    return;
  }
  const __m512i high = (__m512i)_mm512_cvtne2ps_pbh(y, x);
  _mm512_storeu_si512(to, high);
  if (kept.rest_bytes != 0) {
    const __m512 rest_x = _mm512_sub_ps(x, widen(_mm512_castsi512_si256(high)));
    const __m512 rest_y = _mm512_sub_ps(y, widen(_mm512_extracti64x4_epi64(high, 1)));
    _mm512_storeu_si512(to + kept.rest_bytes, (__m512i)_mm512_cvtne2ps_pbh(rest_y, rest_x));
  }
}

}  // namespace ichdet::native
