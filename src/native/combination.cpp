#include "combination.hpp"

#include <algorithm>

namespace ichdet::native {
namespace {

/// One term's row of 16 channels.
struct Row {
  const char* from;
  std::int64_t step;
  Kept kept;
  const std::int64_t* columns;  ///< or none
  __m512 scale, shift;
};

ICHDET_NATIVE void combine_row(const Combination::Options& o, char* arena, std::int64_t block, std::int64_t row,
                               std::int64_t half) {
  const auto& out = o.out;
  const auto b = std::size_t(block);
  const auto place = block * out.per_pixel + half * lanes;
  __m512 scale = o.scale.empty() ? _mm512_set1_ps(1) : _mm512_loadu_ps(o.scale.data() + place);
  __m512 shift = o.shift.empty() ? _mm512_setzero_ps() : _mm512_loadu_ps(o.shift.data() + place);
  const auto at_place = [&](std::int64_t offset) { return reinterpret_cast<const float*>(arena + offset) + place; };
  if (o.vector_shift) shift = _mm512_add_ps(shift, _mm512_loadu_ps(at_place(*o.vector_shift)));
  if (o.gate) scale = _mm512_mul_ps(scale, _mm512_loadu_ps(at_place(*o.gate)));

  Row rows[Combination::most_terms];
  const auto z = row / out.height(), y = row % out.height();
  for (std::size_t i = 0; i < o.terms.size(); ++i) {
    const auto& term = o.terms[i];
    const auto from_z = term.planes.empty() ? z : term.planes[std::size_t(z)];
    const auto from_y = term.rows.empty() ? y : term.rows[std::size_t(y)];
    const __m512 factor = _mm512_set1_ps(term.factor);
    rows[i] = {arena + term.map.blocks[b] + term.map.pixel(from_z, from_y, 0) + half * term.map.kept.half(),
               term.map.pixel_bytes(),
               term.map.kept,
               term.columns.empty() ? nullptr : term.columns.data(),
               factor,
               _mm512_setzero_ps()};
    if (term.affine) {
      const auto* affine = reinterpret_cast<const float*>(arena + *term.affine) + place;
      rows[i].scale = _mm512_mul_ps(factor, _mm512_loadu_ps(affine));
      rows[i].shift = _mm512_mul_ps(factor, _mm512_loadu_ps(affine + out.places()));
    }
  }
  const char* slope_at =
      o.slope ? arena + o.slope->map.blocks[b] + o.slope->map.row(row) + half * out.kept.half() : nullptr;
  char* to = arena + out.blocks[b] + out.row(row) + half * out.kept.half();
  for (std::int64_t x = 0; x < out.width(); ++x, to += out.pixel_bytes()) {
    __m512 sum = _mm512_setzero_ps();
    for (std::size_t i = 0; i < o.terms.size(); ++i) {
      const auto& r = rows[i];
      const char* from = r.from + (r.columns == nullptr ? x : r.columns[x]) * r.step;
      sum = _mm512_add_ps(sum, _mm512_fmadd_ps(load_half(from, r.kept), r.scale, r.shift));
    }
    __m512 y = apply(o.activation, _mm512_fmadd_ps(sum, scale, shift));
    if (slope_at != nullptr) {
      const auto& at = o.slope->map;
      y = slope_times(o.slope->slope, y, slope_at + x * at.pixel_bytes(), at.kept);
    }
    store_half(to, out.kept, y);
  }
}

}  // namespace

void Combination::run(char* arena, std::int64_t begin, std::int64_t end) const {
  const auto rows = options_.out.rows();
  for (std::int64_t unit = begin; unit < end; ++unit) {
    for (std::int64_t half = 0; half < options_.out.per_pixel / lanes; ++half) {
      combine_row(options_, arena, unit / rows, unit % rows, half);
    }
  }
}

}  // namespace ichdet::native
