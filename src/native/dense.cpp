#include "dense.hpp"

#include <algorithm>

#include "../nn/tile_product.hpp"

namespace ichdet::native {
namespace {

ICHDET_NATIVE float product(const float* w, const float* x, std::int64_t whole, std::int64_t left) {
  __m512 sum[4] = {_mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps()};
  std::int64_t i = 0;
  for (; i + 64 <= whole; i += 64) {
    for (int k = 0; k < 4; ++k) {
      sum[k] = _mm512_fmadd_ps(_mm512_loadu_ps(w + i + k * lanes), _mm512_loadu_ps(x + i + k * lanes), sum[k]);
    }
  }
  for (; i < whole; i += lanes) sum[0] = _mm512_fmadd_ps(_mm512_loadu_ps(w + i), _mm512_loadu_ps(x + i), sum[0]);
  const auto mask = __mmask16((1u << left) - 1);
  sum[1] = _mm512_fmadd_ps(_mm512_loadu_ps(w + i), _mm512_maskz_loadu_ps(mask, x + i), sum[1]);
  return _mm512_reduce_add_ps(_mm512_add_ps(_mm512_add_ps(sum[0], sum[1]), _mm512_add_ps(sum[2], sum[3])));
}

ICHDET_NATIVE float product(const std::uint16_t* w, const float* x, std::int64_t whole, std::int64_t left) {
  __m512 sum[4] = {_mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps()};
  std::int64_t i = 0;
  for (; i + 64 <= whole; i += 64) {
    for (int k = 0; k < 4; ++k) {
      sum[k] = _mm512_fmadd_ps(load16(w + i + k * lanes), _mm512_loadu_ps(x + i + k * lanes), sum[k]);
    }
  }
  for (; i < whole; i += lanes) sum[0] = _mm512_fmadd_ps(load16(w + i), _mm512_loadu_ps(x + i), sum[0]);
  const auto mask = __mmask16((1u << left) - 1);
  sum[1] = _mm512_fmadd_ps(load16(w + i), _mm512_maskz_loadu_ps(mask, x + i), sum[1]);
  return _mm512_reduce_add_ps(_mm512_add_ps(_mm512_add_ps(sum[0], sum[1]), _mm512_add_ps(sum[2], sum[3])));
}

ICHDET_NATIVE void activate(const Activation& activation, const float* sums, float* out) {
  _mm512_storeu_ps(out, apply(activation, _mm512_loadu_ps(sums)));
}

}  // namespace

Dense::Dense(Options options) : options_(std::move(options)), row_((options_.inputs / lanes + 1) * lanes) {
  options_.bias.resize(std::size_t(options_.outputs));
  weight_.assign(std::size_t(options_.outputs * row_), 0);
  for (std::int64_t o = 0; o < options_.outputs; ++o) {
    std::copy_n(options_.weight.begin() + o * options_.inputs, options_.inputs, weight_.begin() + o * row_);
  }
  options_.weight = {};
  if (options_.split) return;
  for (const float value : weight_) rounded_.push_back(nn::to_bf16(value));
  weight_ = {};
}

void Dense::run(char* arena, std::int64_t begin, std::int64_t end) const {
  const auto* x = reinterpret_cast<const float*>(arena + options_.in);
  auto* out = reinterpret_cast<float*>(arena + options_.out);
  const auto whole = options_.inputs / lanes * lanes, left = options_.inputs - whole;
  for (std::int64_t unit = begin; unit < end; ++unit) {
    float sums[lanes] = {};
    for (std::int64_t i = 0; i < std::min(lanes, options_.outputs - unit * lanes); ++i) {
      const auto o = unit * lanes + i;
      const float sum = options_.split ? product(weight_.data() + o * row_, x, whole, left)
                                       : product(rounded_.data() + o * row_, x, whole, left);
      sums[i] = sum + options_.bias[std::size_t(o)];
    }
    activate(options_.activation, sums, out + unit * lanes);
    // Whoever reads whole blocks of 32 finds numbers.
    if (unit + 1 == units() && unit % 2 == 0) std::fill_n(out + (unit + 1) * lanes, lanes, 0.f);
  }
}

}  // namespace ichdet::native
