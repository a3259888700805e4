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
ICHDET_NATIVE void combine(const Row& x, const Row& y, const Row& z, float* to, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    const __m512 a = _mm512_load_ps(x.at + i * x.step), b = _mm512_load_ps(y.at + i * y.step);
    __m512 value = a;
    if constexpr (kind == Kind::add || kind == Kind::add_relu) value = _mm512_add_ps(a, b);
    if constexpr (kind == Kind::multiply) value = _mm512_mul_ps(a, b);
    if constexpr (kind == Kind::multiply_add) value = _mm512_fmadd_ps(a, b, _mm512_load_ps(z.at + i * z.step));
    if constexpr (kind == Kind::relu || kind == Kind::add_relu) value = _mm512_max_ps(_mm512_setzero_ps(), value);
    _mm512_store_ps(to + i * lanes, value);
  }
}

bool is_computed(Kind kind) { return kind >= Kind::add; }

constexpr std::int64_t piece = 32;  // pixels of a row that are computed together: what they are made of fits the cache

/// Evaluates an expression row by row, for all planes: what is the same in them once, the rest piece by piece.
class Rows {
 public:
  Rows(const Expression& expression, const Triple& size)
      : terms_(expression.terms),
        size_(size),
        buffers_(scratch<float>(std::int64_t(terms_.size()) * size[2] * lanes)),
        rows_(terms_.size()) {
    for (const auto& term : terms_) {
      const auto varies = [&](std::size_t i) { return is_computed(term.kind) && of_planes_[i]; };
      of_planes_.push_back(term.kind == Kind::planes || varies(term.first) || varies(term.second) ||
                           varies(term.third));
    }
  }

  void start(const char* arena, std::int64_t group, std::int64_t y) {
    arena_ = arena;
    group_ = group;
    for (std::size_t i = 0; i < terms_.size(); ++i) {
      const auto& term = terms_[i];
      const auto* floats = reinterpret_cast<const float*>(arena + term.offset);
      if (of_planes_[i]) continue;
      switch (term.kind) {
        case Kind::pixels: rows_[i] = {floats + (group * size_[1] + y) * size_[2] * lanes, lanes}; break;
        case Kind::rows: rows_[i] = {floats + (group * size_[1] + y) * lanes, 0}; break;
        case Kind::columns: rows_[i] = {floats + group * size_[2] * lanes, lanes}; break;
        case Kind::one: rows_[i] = same(i, *floats); break;
        case Kind::constant: rows_[i] = same(i, term.number); break;
        default: rows_[i] = computed(i, 0, size_[2]);
      }
    }
  }

  /// Pixels x to x + count of the row in plane z.
  Row pixels(std::int64_t z, std::int64_t x, std::int64_t count) {
    for (std::size_t i = 0; i < terms_.size(); ++i) {
      if (!of_planes_[i]) continue;
      const auto* floats = reinterpret_cast<const float*>(arena_ + terms_[i].offset);
      rows_[i] = is_computed(terms_[i].kind) ? computed(i, x, count) : Row{floats + (group_ * size_[0] + z) * lanes, 0};
    }
    return part(rows_.size() - 1, x);
  }

 private:
  float* buffer(std::size_t i) const { return buffers_.get() + std::int64_t(i) * size_[2] * lanes; }

  Row same(std::size_t i, float number) const {
    std::fill_n(buffer(i), lanes, number);
    return {buffer(i), 0};
  }

  /// What of a term begins at x: of those that vary from plane to plane there is no more than that.
  Row part(std::size_t i, std::int64_t x) const {
    return of_planes_[i] ? rows_[i] : Row{rows_[i].at + x * rows_[i].step, rows_[i].step};
  }

  Row computed(std::size_t i, std::int64_t x, std::int64_t count) const {
    const auto& term = terms_[i];
    const bool one = term.kind == Kind::relu, three = term.kind == Kind::multiply_add;
    const Row a = part(term.first, x), b = one ? a : part(term.second, x), c = three ? part(term.third, x) : b;
    const bool alike = a.step == 0 && b.step == 0 && c.step == 0;
    if (alike) count = 1;
    switch (term.kind) {
      case Kind::add: combine<Kind::add>(a, b, c, buffer(i), count); break;
      case Kind::multiply: combine<Kind::multiply>(a, b, c, buffer(i), count); break;
      case Kind::relu: combine<Kind::relu>(a, b, c, buffer(i), count); break;
      case Kind::add_relu: combine<Kind::add_relu>(a, b, c, buffer(i), count); break;
      default: combine<Kind::multiply_add>(a, b, c, buffer(i), count);
    }
    return {buffer(i), alike ? 0 : lanes};
  }

  const std::vector<Expression::Term>& terms_;
  Triple size_;
  std::unique_ptr<float[], Free> buffers_;
  std::vector<Row> rows_;
  std::vector<bool> of_planes_;
  const char* arena_ = nullptr;
  std::int64_t group_ = 0;
};

ICHDET_NATIVE double squares(const Row& row, std::int64_t count, std::uint16_t counted) {
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

ICHDET_NATIVE void multiply_row(const Row& factor, const char* from, std::int64_t from_step, const Kept& from_kept,
                                char* to, std::int64_t to_step, const Kept& to_kept, std::int64_t count) {
  for (std::int64_t x = 0; x < count; ++x, from += from_step, to += to_step) {
    const __m512 value = _mm512_mul_ps(load_half(from, from_kept), _mm512_load_ps(factor.at + x * factor.step));
    store_half(to, to_kept, value);
  }
}

}  // namespace

void SquareSum::run(char* arena, std::int64_t begin, std::int64_t end) const {
  const auto& size = options_.size;
  Rows rows(options_.expression, size);
  for (auto unit = begin; unit < end; ++unit) {
    const auto group = unit / size[1];
    double total = 0;
    rows.start(arena, group, unit % size[1]);
    for (std::int64_t z = 0; z < size[0]; ++z) {
      for (std::int64_t x = 0; x < size[2]; x += piece) {
        const auto count = std::min(piece, size[2] - x);
        total += squares(rows.pixels(z, x, count), count, options_.counted[std::size_t(group)]);
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
  Rows rows(factor, in.size);
  for (auto unit = begin; unit < end; ++unit) {
    const auto group = unit / in.height(), y = unit % in.height(), place = group * lanes;
    const auto block = std::size_t(place / in.per_pixel);
    const auto within = in.within(place);
    rows.start(arena, group, y);
    for (std::int64_t z = 0; z < in.depth(); ++z) {
      for (std::int64_t x = 0; x < in.width(); x += piece) {
        const auto count = std::min(piece, in.width() - x);
        multiply_row(rows.pixels(z, x, count), arena + in.blocks[block] + in.pixel(z, y, x) + within, in.pixel_bytes(),
                     in.kept, arena + out.blocks[block] + out.pixel(z, y, x) + within, out.pixel_bytes(), out.kept,
                     count);
      }
    }
  }
}

}  // namespace ichdet::native
