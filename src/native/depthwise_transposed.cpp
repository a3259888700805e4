#include "depthwise_transposed.hpp"

namespace ichdet::native {
namespace {

/// Which taps reach an output along one axis, and from where.
struct Reached {
  std::int64_t tap, from;
};

std::vector<std::vector<Reached>> reached(const Shape& s, std::size_t axis, std::int64_t outputs, std::int64_t inputs) {
  std::vector<std::vector<Reached>> all(static_cast<std::size_t>(outputs));
  for (std::int64_t to = 0; to < outputs; ++to) {
    for (std::int64_t tap = 0; tap < s.kernel[axis]; ++tap) {
      const auto from = to + s.padding[axis] - tap * s.dilation[axis];
      if (from < 0 || from % s.stride[axis] != 0 || from / s.stride[axis] >= inputs) continue;
      all[std::size_t(to)].push_back({tap, from / s.stride[axis]});
    }
  }
  return all;
}

ICHDET_NATIVE void gather_row(const DepthwiseTransposed::Options& o, char* arena, std::int64_t block, std::int64_t half,
                              std::int64_t y, const std::vector<Reached>& rows,
                              const std::vector<std::vector<Reached>>& columns) {
  const auto& [shape, in, out, weight, slope] = o;
  const auto b = std::size_t(block);
  const auto places = out.places(), place = block * out.per_pixel + half * lanes;
  char* to = arena + out.blocks[b] + out.row(y) + half * out.kept.half();
  const char* slope_at = slope ? arena + slope->map.blocks[b] + slope->map.row(y) + half * out.kept.half() : nullptr;
  for (std::int64_t x = 0; x < out.width(); ++x, to += out.pixel_bytes()) {
    __m512 sum = _mm512_setzero_ps();
    for (const auto& row : rows) {
      const char* from = arena + in.blocks[b] + in.row(row.from) + half * in.kept.half();
      const float* taps = weight.data() + row.tap * shape.kernel[2] * places + place;
      for (const auto& column : columns[std::size_t(x)]) {
        const __m512 v = load_half(from + column.from * in.pixel_bytes(), in.kept);
        sum = _mm512_fmadd_ps(v, _mm512_loadu_ps(taps + column.tap * places), sum);
      }
    }
    if (slope_at != nullptr) {
      sum = slope_times(slope->slope, sum, slope_at + x * slope->map.pixel_bytes(), slope->map.kept);
    }
    store_half(to, out.kept, sum);
  }
}

}  // namespace

void DepthwiseTransposed::run(char* arena, std::int64_t begin, std::int64_t end) const {
  const auto& out = options_.out;
  const auto rows = reached(options_.shape, 1, out.height(), options_.in.height());
  const auto columns = reached(options_.shape, 2, out.width(), options_.in.width());
  for (std::int64_t unit = begin; unit < end; ++unit) {
    const auto block = unit / out.height(), y = unit % out.height();
    for (std::int64_t half = 0; half < out.per_pixel / lanes; ++half) {
      gather_row(options_, arena, block, half, y, rows[std::size_t(y)], columns);
    }
  }
}

}  // namespace ichdet::native
