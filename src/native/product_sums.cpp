#include "product_sums.hpp"

#include "vectors.hpp"

namespace ichdet::native {
namespace {

/// Rows are summed in float32, and added up in float64.
ICHDET_NATIVE void sum_places(const ProductSums::Options& o, char* arena, std::int64_t group) {
  const auto& [first, second, to] = o;
  const auto halves = first.per_pixel / lanes;
  const auto b = std::size_t(group / halves);
  const auto half = group % halves * first.kept.half();
  __m512d low = _mm512_setzero_pd(), high = _mm512_setzero_pd();
  for (std::int64_t row = 0; row < first.rows(); ++row) {
    const char* x = arena + first.blocks[b] + first.row(row) + half;
    const char* y = arena + second.blocks[b] + second.row(row) + half;
    __m512 sum = _mm512_setzero_ps();
    for (std::int64_t i = 0; i < first.width(); ++i, x += first.pixel_bytes(), y += second.pixel_bytes()) {
      sum = _mm512_fmadd_ps(load_half(x, first.kept), load_half(y, second.kept), sum);
    }
    low = _mm512_add_pd(low, _mm512_cvtps_pd(_mm512_castps512_ps256(sum)));
    high = _mm512_add_pd(high, _mm512_cvtps_pd(_mm512_extractf32x8_ps(sum, 1)));
  }
  auto* sums = reinterpret_cast<float*>(arena + to) + group * lanes;
  _mm256_storeu_ps(sums, _mm512_cvtpd_ps(low));
  _mm256_storeu_ps(sums + 8, _mm512_cvtpd_ps(high));
}

}  // namespace

void ProductSums::run(char* arena, std::int64_t begin, std::int64_t end) const {
  for (std::int64_t group = begin; group < end; ++group) sum_places(options_, arena, group);
}

}  // namespace ichdet::native
