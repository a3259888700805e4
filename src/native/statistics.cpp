#include "statistics.hpp"

#include <algorithm>
#include <cmath>

#include "vectors.hpp"

namespace ichdet::native {

void InstanceNorm::run(char* arena, std::int64_t begin, std::int64_t end) const {
  const auto& o = options_;
  const auto* from = reinterpret_cast<const float*>(arena + o.from);
  auto* to = reinterpret_cast<float*>(arena + o.to);
  for (auto place = begin; place < end; ++place) {
    if (place >= o.part_places) {
      to[place] = to[o.places + place] = 0;
      continue;
    }
    double sum = 0, squares = 0;
    for (std::int64_t part = 0; part < o.parts; ++part) {
      const auto* group = from + (part * o.part_places + place / lanes * lanes) * 2;
      sum += double(group[place % lanes]);
      squares += double(group[lanes + place % lanes]);
    }
    const double mean = sum / o.count, variance = std::max(0., squares / o.count - mean * mean);
    const auto i = std::size_t(place);
    const double scale = (o.weight.empty() ? 1. : double(o.weight[i])) / std::sqrt(variance + o.epsilon);
    to[place] = float(scale);
    to[o.places + place] = float((o.bias.empty() ? 0. : double(o.bias[i])) - mean * scale);
  }
}

ICHDET_NATIVE void Statistics::run(char* arena, std::int64_t begin, std::int64_t end) const {
  const auto blocks = std::int64_t(map_.blocks.size());
  for (auto unit = begin; unit < end; ++unit) {
    const auto row = unit / blocks, block = unit % blocks;
    for (std::int64_t half = 0; half < map_.per_pixel / lanes; ++half) {
      __m512 sum = _mm512_setzero_ps(), squares = _mm512_setzero_ps();
      const char* pixel = arena + map_.blocks[std::size_t(block)] + map_.row(row) + half * map_.kept.half();
      for (std::int64_t x = 0; x < map_.width(); ++x, pixel += map_.pixel_bytes()) {
        const __m512 v = load_half(pixel, map_.kept);
        sum = _mm512_add_ps(sum, v);
        squares = _mm512_fmadd_ps(v, v, squares);
      }
      auto* to =
          reinterpret_cast<float*>(arena + to_) + (row * map_.places() + block * map_.per_pixel + half * lanes) * 2;
      _mm512_storeu_ps(to, sum);
      _mm512_storeu_ps(to + lanes, squares);
    }
  }
}

}  // namespace ichdet::native
