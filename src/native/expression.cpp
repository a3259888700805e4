#include "expression.hpp"

#include <algorithm>

#include "scratch.hpp"
#include "vectors.hpp"

namespace ichdet::native {
namespace {

using Kind = Expression::Kind;

/// 16 channels of a row of pixels; `step` 0: the same for all of them.
struct Row {
  const float* at = nullptr;
  std::int64_t step = 0;
};

template <Kind kind>
ICHDET_NATIVE void combine(const Row& x, const Row& y, float* to, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    const __m512 a = _mm512_load_ps(x.at + i * x.step), b = _mm512_load_ps(y.at + i * y.step);
    __m512 value = a;
    if constexpr (kind == Kind::add) value = _mm512_add_ps(a, b);
    if constexpr (kind == Kind::multiply) value = _mm512_mul_ps(a, b);
    if constexpr (kind == Kind::relu) value = _mm512_max_ps(_mm512_setzero_ps(), a);
    _mm512_store_ps(to + i * lanes, value);
  }
}

constexpr std::int64_t piece = 32;  // pixels of a row that are computed together: what they are made of fits the cache

/// Evaluates an expression for some pixels of a row.
class Pieces {
 public:
  Pieces(const Expression& expression, const Triple& size)
      : expression_(expression),
        size_(size),
        buffers_(scratch<float>(std::int64_t(expression.terms.size()) * piece * lanes)),
        rows_(expression.terms.size()) {}

  Row row(const char* arena, std::int64_t group, std::int64_t z, std::int64_t y, std::int64_t x, std::int64_t count) {
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      const auto& term = expression_.terms[i];
      const auto* floats = reinterpret_cast<const float*>(arena + term.offset);
      float* buffer = buffers_.get() + std::int64_t(i) * piece * lanes;
      switch (term.kind) {
        case Kind::pixels: rows_[i] = {floats + ((group * size_[1] + y) * size_[2] + x) * lanes, lanes}; break;
        case Kind::planes: rows_[i] = {floats + (group * size_[0] + z) * lanes, 0}; break;
        case Kind::one:
        case Kind::constant:
          std::fill_n(buffer, lanes, term.kind == Kind::one ? *floats : term.number);
          rows_[i] = {buffer, 0};
          break;
        default: rows_[i] = computed(term, buffer, count);
      }
    }
    return rows_.back();
  }

 private:
  Row computed(const Expression::Term& term, float* buffer, std::int64_t pixels) const {
    const Row x = rows_[term.first], y = term.kind == Kind::relu ? x : rows_[term.second];
    const bool alike = x.step == 0 && y.step == 0;
    const auto count = alike ? 1 : pixels;
    if (term.kind == Kind::add) combine<Kind::add>(x, y, buffer, count);
    if (term.kind == Kind::multiply) combine<Kind::multiply>(x, y, buffer, count);
    if (term.kind == Kind::relu) combine<Kind::relu>(x, y, buffer, count);
    return {buffer, alike ? 0 : lanes};
  }

  const Expression& expression_;
  Triple size_;
  std::unique_ptr<float[], Free> buffers_;
  std::vector<Row> rows_;
};

ICHDET_NATIVE double squares(const Row& row, std::int64_t count, std::int64_t channels) {
  const auto counted = __mmask16(channels >= lanes ? 0xffff : (1 << channels) - 1);
  __m512 sum = _mm512_setzero_ps();
  for (std::int64_t x = 0; x < count; ++x) {
    const __m512 v = _mm512_maskz_load_ps(counted, row.at + x * row.step);
    sum = _mm512_fmadd_ps(v, v, sum);
  }
  alignas(64) float values[lanes];
  _mm512_store_ps(values, sum);
  double total = 0;
  for (const float v : values) total += double(v);
  return total;
}

ICHDET_NATIVE void multiply_row(const Row& factor, const char* from, std::int64_t from_step, std::int64_t from_rest,
                                char* to, std::int64_t to_step, std::int64_t to_rest, std::int64_t count) {
  for (std::int64_t x = 0; x < count; ++x, from += from_step, to += to_step) {
    const __m512 value = _mm512_mul_ps(load_half(from, from_rest), _mm512_load_ps(factor.at + x * factor.step));
    store_half(to, to_rest, value);
  }
}

}  // namespace

// Planes inside, pieces of rows outside: what lies along rows and columns stays in the cache from plane to plane.

void SquareSum::run(char* arena, std::int64_t begin, std::int64_t end) const {
  const auto& size = options_.size;
  Pieces pieces(options_.expression, size);
  for (auto unit = begin; unit < end; ++unit) {
    const auto group = unit / size[1], y = unit % size[1];
    double total = 0;
    for (std::int64_t x = 0; x < size[2]; x += piece) {
      const auto count = std::min(piece, size[2] - x);
      for (std::int64_t z = 0; z < size[0]; ++z) {
        total += squares(pieces.row(arena, group, z, y, x, count), count, options_.channels - group * lanes);
      }
    }
    reinterpret_cast<double*>(arena + options_.row_sums)[unit] = total;
  }
}

void SquareSum::finish(char* arena) const {
  const auto* sums = reinterpret_cast<const double*>(arena + options_.row_sums);
  double total = 0;
  for (std::int64_t i = 0; i < units(); ++i) total += sums[i];
  *reinterpret_cast<float*>(arena + options_.to) = float(total);
}

void Modulation::run(char* arena, std::int64_t begin, std::int64_t end) const {
  const auto& [factor, in, out] = options_;
  Pieces pieces(factor, in.size);
  for (auto unit = begin; unit < end; ++unit) {
    const auto group = unit / in.height(), y = unit % in.height(), place = group * lanes;
    const auto block = std::size_t(place / in.per_pixel);
    const auto within = place % in.per_pixel * 2;
    for (std::int64_t x = 0; x < in.width(); x += piece) {
      const auto count = std::min(piece, in.width() - x);
      for (std::int64_t z = 0; z < in.depth(); ++z) {
        multiply_row(pieces.row(arena, group, z, y, x, count), arena + in.blocks[block] + in.pixel(z, y, x) + within,
                     in.pixel_bytes(), in.rest_bytes, arena + out.blocks[block] + out.pixel(z, y, x) + within,
                     out.pixel_bytes(), out.rest_bytes, count);
      }
    }
  }
}

}  // namespace ichdet::native
