#include "finish.hpp"

namespace ichdet::native {
namespace {

/// Where the values of a run of pixels go, and what is added to them.
struct Places {
  char* out;
  std::int64_t out_step;
  const char* addend;  ///< or none
  std::int64_t addend_step;
  const char* slope_at;  ///< or none
  std::int64_t slope_step;
  Slope slope;
  Kept out_kept, addend_kept, slope_kept;
  float* statistics;  ///< or none: (output, 2)
  std::int64_t count;
};

/// 16 or 32 channels of pixels; with `alone` the block's other 16 become zeros.
template <int groups, bool alone = false>
ICHDET_NATIVE void finish_pixels(const float* sums, const float* bias, const Activation& activation,
                                 const Places& run) {
  const __m512 bias0 = _mm512_loadu_ps(bias), bias1 = _mm512_loadu_ps(bias + (groups == 2 ? lanes : 0));
  char* out = run.out;
  const char *addend = run.addend, *slope_at = run.slope_at;
  __m512 total[4] = {_mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps()};
  for (std::int64_t i = 0; i < run.count; ++i, sums += groups * lanes, out += run.out_step) {
    __m512 x = _mm512_add_ps(_mm512_load_ps(sums), bias0), y = bias1;
    if constexpr (groups == 2) y = _mm512_add_ps(_mm512_load_ps(sums + lanes), bias1);
    if (addend != nullptr) {
      x = _mm512_add_ps(x, load_half(addend, run.addend_kept));
      if constexpr (groups == 2) y = _mm512_add_ps(y, load_half(addend + run.addend_kept.half(), run.addend_kept));
      addend += run.addend_step;
    }
    if (run.statistics != nullptr) {
      total[0] = _mm512_add_ps(total[0], x);
      total[1] = _mm512_fmadd_ps(x, x, total[1]);
      if constexpr (groups == 2) {
        total[2] = _mm512_add_ps(total[2], y);
        total[3] = _mm512_fmadd_ps(y, y, total[3]);
      }
    }
    x = apply(activation, x);
    if constexpr (groups == 2) y = apply(activation, y);
    if (slope_at != nullptr) {
      x = slope_times(run.slope, x, slope_at, run.slope_kept);
      if constexpr (groups == 2) y = slope_times(run.slope, y, slope_at + run.slope_kept.half(), run.slope_kept);
      slope_at += run.slope_step;
    }
    if constexpr (groups == 2) {
      store_whole(out, run.out_kept, x, y);
    } else {
      store_half(out, run.out_kept, x);
      if (alone) store_half(out + run.out_kept.half(), run.out_kept, _mm512_setzero_ps());
    }
  }
  if (run.statistics != nullptr) {
    for (int i = 0; i < 2 * groups; ++i) {
      float* to = run.statistics + i * lanes;
      _mm512_storeu_ps(to, _mm512_add_ps(_mm512_loadu_ps(to), total[i]));
    }
  }
}

ICHDET_NATIVE void finish_narrow(const float* sums, const float* bias, const Activation& activation,
                                 const Places& run) {
  const __m512 b = _mm512_loadu_ps(bias);
  char* out = run.out;
  for (std::int64_t i = 0; i < run.count; ++i, sums += lanes, out += run.out_step) {
    const __m512 x = apply(activation, _mm512_add_ps(_mm512_load_ps(sums), b));
    if (run.out_kept.value_bytes == 4) {
      _mm_storeu_ps(reinterpret_cast<float*>(out), _mm512_castps512_ps128(x));
      continue;
    }
    const __m256i high = narrow(x);
    _mm_storel_epi64(reinterpret_cast<__m128i*>(out), _mm256_castsi256_si128(high));
    if (run.out_kept.rest_bytes != 0) {
      const __m256i rest = narrow(_mm512_sub_ps(x, widen(high)));
      _mm_storel_epi64(reinterpret_cast<__m128i*>(out + run.out_kept.rest_bytes), _mm256_castsi256_si128(rest));
    }
  }
}

}  // namespace

void finish(const Finish& how, char* arena, const Run& run, std::int64_t first, int groups, const float* sums,
            float* statistics) {
  const auto& out = how.out;
  const auto block = std::size_t(first / out.per_pixel);
  const auto within = out.within(first);
  const auto place = [&](const Map& map) {
    return arena + map.blocks[block] + map.pixel(run.z, run.y, run.x) + within;
  };
  Places places{};
  places.count = run.count;
  places.out = place(out);
  places.out_step = out.pixel_bytes() * run.step;
  places.out_kept = out.kept;
  if (how.addend) {
    places.addend = place(*how.addend);
    places.addend_step = how.addend->pixel_bytes() * run.step;
    places.addend_kept = how.addend->kept;
  }
  if (how.slope) {
    places.slope_at = place(how.slope->map);
    places.slope_step = how.slope->map.pixel_bytes() * run.step;
    places.slope_kept = how.slope->map.kept;
    places.slope = how.slope->slope;
  }
  places.statistics = statistics;
  const float* bias = how.bias.data() + first;
  if (out.per_pixel == 4) {
    finish_narrow(sums, bias, how.activation, places);
  } else if (groups == 2) {
    finish_pixels<2>(sums, bias, how.activation, places);
  } else if (out.per_pixel == 32 && within == 0) {
    finish_pixels<1, true>(sums, bias, how.activation, places);
  } else {
    finish_pixels<1>(sums, bias, how.activation, places);
  }
}

}  // namespace ichdet::native
