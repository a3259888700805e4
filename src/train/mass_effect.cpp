#include <algorithm>
#include <cmath>

#include "ichdet/phantom/distance.hpp"
#include "strokes.hpp"

namespace ichdet::train {

void push_aside(Canvas& v, Array3<std::uint8_t>& mask, const Stroke& stroke) {
  if (v.cavity_mm2 < 5000) return;  // near the vertex brain goes down, out of the slice
  const auto before = v.stack.hu.clone();
  const auto marked = mask.clone();
  const auto depth_at = [&](std::int64_t s, std::int64_t r, std::int64_t c) {
    const bool there = r >= 0 && c >= 0 && r < v.rows && c < v.columns;
    return there ? std::max(0.0F, v.depth(s, r, c)) : 0.0F;
  };
  v.inside([&](std::int64_t s, std::int64_t r, std::int64_t c) {
    const float depth = v.depth(s, r, c), distance = stroke.distance(s, r, c);
    const float thick = std::min(depth - distance, 22.0F);  // of the blood between here and the skull
    if (!(thick > 2) || distance < -1) return;
    // What comes from nearer to the skull than this has bone in it, which would draw a bright line around the blood.
    constexpr float skull_mm = 2.5F;
    const float push =
        std::min(0.85F * thick * std::exp(-std::max(distance, 0.0F) / (10 + 1.5F * thick)), depth - skull_mm);
    if (push < 0.3F) return;
    constexpr std::int64_t step = 3;
    const float dy = (depth_at(s, r + step, c) - depth_at(s, r - step, c)) / (2 * step * v.row_mm);
    const float dx = (depth_at(s, r, c + step) - depth_at(s, r, c - step)) / (2 * step * v.column_mm);
    const float length = std::hypot(dy, dx);
    if (length < 0.3F) return;
    const float scale = push * shapes::ramp(length, 0.3F, 0.8F) / length;
    const float y = float(r) - dy * scale / v.row_mm, x = float(c) - dx * scale / v.column_mm;
    const auto r0 = std::clamp<std::int64_t>(std::int64_t(std::floor(y)), 0, v.rows - 2);
    const auto c0 = std::clamp<std::int64_t>(std::int64_t(std::floor(x)), 0, v.columns - 2);
    const float ty = std::clamp(y - float(r0), 0.0F, 1.0F), tx = std::clamp(x - float(c0), 0.0F, 1.0F);
    const float top = before(s, r0, c0) + tx * (before(s, r0, c0 + 1) - before(s, r0, c0));
    const float bottom = before(s, r0 + 1, c0) + tx * (before(s, r0 + 1, c0 + 1) - before(s, r0 + 1, c0));
    const float value = top + ty * (bottom - top);
    if (value > v.brain_hu + 3 * v.noise_hu + 6 || value < -30) return;
    v.stack.hu(s, r, c) = value;
    mask(s, r, c) = marked(s, r0 + (ty > 0.5F ? 1 : 0), c0 + (tx > 0.5F ? 1 : 0));
  });
}

}  // namespace ichdet::train
