#include "means.hpp"

#include <algorithm>

#include "scratch.hpp"
#include "vectors.hpp"

namespace ichdet::native {

namespace {

/// Of `count` pixels beside each other, in all planes: their sums, and each plane's.
template <int count>
ICHDET_NATIVE void add_planes(const Map& map, const char* from, float* over_planes, float* row_sums) {
  __m512 sum[count];
  for (auto& s : sum) s = _mm512_setzero_ps();
  for (std::int64_t z = 0; z < map.depth(); ++z, from += map.plane() * map.pixel_bytes()) {
    float* row = row_sums + z * map.height() * lanes;
    __m512 all = _mm512_load_ps(row);
    for (int i = 0; i < count; ++i) {
      const __m512 v = load_half(from + i * map.pixel_bytes(), map.kept);
      sum[i] = _mm512_add_ps(sum[i], v);
      all = _mm512_add_ps(all, v);
    }
    _mm512_store_ps(row, all);
  }
  for (int i = 0; i < count; ++i) _mm512_store_ps(over_planes + i * lanes, sum[i]);
}

/// Of one row of an image: its sum, and added to that of each column.
ICHDET_NATIVE void add_row(const char* from, std::int64_t step, const Kept& kept, std::int64_t count, float* columns,
                           float* row) {
  __m512 sum = _mm512_setzero_ps();
  for (std::int64_t x = 0; x < count; ++x, from += step) {
    const __m512 v = load_half(from, kept);
    sum = _mm512_add_ps(sum, v);
    _mm512_store_ps(columns + x * lanes, _mm512_add_ps(_mm512_load_ps(columns + x * lanes), v));
  }
  _mm512_store_ps(row, sum);
}

}  // namespace

/// Of one row of pixels in all planes: sums over the planes (x, 16), and over each plane's row (z, y, 16).
void Means::add_rows(const char* arena, std::int64_t group, std::int64_t y, float* over_planes, float* row_sums) const {
  const auto& map = options_.map;
  const auto place = group * lanes;
  const char* from = arena + map.blocks[std::size_t(place / map.per_pixel)] + map.pixel(0, y, 0) + map.within(place);
  row_sums += y * lanes;
  for (std::int64_t z = 0; z < map.depth(); ++z) std::fill_n(row_sums + z * map.height() * lanes, lanes, 0.f);
  constexpr int together = 8;
  std::int64_t x = 0;
  for (; x + together <= map.width(); x += together) {
    add_planes<together>(map, from + x * map.pixel_bytes(), over_planes + x * lanes, row_sums);
  }
  for (; x < map.width(); ++x) {
    add_planes<1>(map, from + x * map.pixel_bytes(), over_planes + x * lanes, row_sums);
  }
}

void Means::run(char* arena, std::int64_t begin, std::int64_t end) const {
  const auto& map = options_.map;
  const auto plane = map.height() * map.width();
  const auto sums = scratch<float>(map.width() * lanes);
  for (auto unit = begin; unit < end; ++unit) {
    const auto group = unit / map.height(), y = unit % map.height();
    auto* row_sums = reinterpret_cast<float*>(arena + options_.row_sums) + group * map.rows() * lanes;
    add_rows(arena, group, y, sums.get(), row_sums);
    if (!options_.over_planes) continue;
    auto* to = reinterpret_cast<float*>(arena + *options_.over_planes) + y * map.width();
    const float share = 1.f / float(map.depth());
    const auto last = std::min(lanes, options_.channels - group * lanes);
    for (std::int64_t c = 0; c < last; ++c) {
      for (std::int64_t x = 0; x < map.width(); ++x) {
        to[(group * lanes + c) * plane + x] = sums[std::size_t(x * lanes + c)] * share;
      }
    }
  }
}

void Means::finish(char* arena) const {
  if (!options_.over_pixels) return;
  const auto& map = options_.map;
  const auto* row_sums = reinterpret_cast<const float*>(arena + options_.row_sums);
  auto* to = reinterpret_cast<float*>(arena + *options_.over_pixels);
  for (std::int64_t c = 0; c < options_.channels; ++c) {
    for (std::int64_t z = 0; z < map.depth(); ++z) {
      double sum = 0;
      for (std::int64_t y = 0; y < map.height(); ++y) {
        sum += double(row_sums[((c / lanes * map.depth() + z) * map.height() + y) * lanes + c % lanes]);
      }
      to[c * map.depth() + z] = float(sum / double(map.height() * map.width()));
    }
  }
}

void ImageMeans::run(char* arena, std::int64_t begin, std::int64_t end) const {
  const auto& [map, channel_of, along_rows, along_columns, over_all] = options_;
  const auto height = map.height(), width = map.width();
  const auto columns = scratch<float>(width * lanes), rows = scratch<float>(height * lanes);
  for (auto group = begin; group < end; ++group) {
    const auto first = group * lanes;
    const char* from = arena + map.blocks[std::size_t(first / map.per_pixel)] + map.within(first);
    std::fill_n(columns.get(), width * lanes, 0.f);
    for (std::int64_t y = 0; y < height; ++y) {
      add_row(from + map.pixel(0, y, 0), map.pixel_bytes(), map.kept, width, columns.get(), rows.get() + y * lanes);
    }
    for (std::int64_t c = 0; c < std::int64_t(channel_of.size()); ++c) {
      const auto lane = channel_of[std::size_t(c)] - first;
      if (lane < 0 || lane >= lanes) continue;
      const auto write = [&](std::int64_t offset, const float* sums, std::int64_t count, std::int64_t of) {
        auto* to = reinterpret_cast<float*>(arena + offset) + c * count;
        for (std::int64_t i = 0; i < count; ++i) to[i] = sums[i * lanes + lane] / float(of);
      };
      if (along_rows) write(*along_rows, rows.get(), height, width);
      if (along_columns) write(*along_columns, columns.get(), width, height);
      if (!over_all) continue;
      double sum = 0;
      for (std::int64_t y = 0; y < height; ++y) sum += double(rows[std::size_t(y * lanes + lane)]);
      reinterpret_cast<float*>(arena + *over_all)[c] = float(sum / double(height * width));
    }
  }
}

}  // namespace ichdet::native
