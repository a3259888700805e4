#include <algorithm>
#include <cmath>

#include "falls.hpp"
#include "ichdet/phantom/distance.hpp"
#include "ichdet/phantom/random.hpp"
#include "strokes.hpp"

namespace ichdet::train::falls {
namespace {

using Eigen::Vector3f;
using shapes::ramp;

/// How far through the slab, in slices, a thing `mm` high around slice `middle` reaches into slice `s`: 1 to 0.
float through(const Canvas& v, std::int64_t s, float middle, float mm) {
  const float away = std::abs(float(s) - middle) * v.gap_mm;
  return std::clamp((mm + 0.5F * v.gap_mm - away) / v.gap_mm, 0.0F, 1.0F);
}

/// A rough lump around a place in head coordinates (x, y).
void lump(Canvas& v, const Keep& keep, const Vector3f& at, float slice, float radius_mm, float hu, float rough,
          float edge_mm, Dice& dice) {
  const float longer = dice.between(0.7, 1.5), turn = dice.between(0, 3.14);
  const auto seed = dice.bits();
  v.inside([&](std::int64_t s, std::int64_t r, std::int64_t c) {
    const Vector3f from = v.head(s, r, c) - at;
    if (std::abs(from.x()) > 2.5F * radius_mm + 3 || std::abs(from.y()) > 2.5F * radius_mm + 3) return;
    const float x = std::cos(turn) * from.x() + std::sin(turn) * from.y();
    const float y = std::cos(turn) * from.y() - std::sin(turn) * from.x();
    const float away = std::hypot(x * longer, y / longer);
    const float noise = lattice_noise(seed, v.mm(s, r, c), std::max(2.0F, radius_mm));
    const float part = shapes::inside(away - radius_mm * (1 + rough * noise), edge_mm);
    const float grain = 1 + 0.5F * rough * lattice_noise(seed + 1, v.mm(s, r, c), 3);
    put(v, keep, s, r, c, part * through(v, s, slice, radius_mm), hu * grain);
  });
}

float some_slice(const Canvas& v, Dice& dice) { return dice.between(-0.5, double(v.slices) - 0.5); }

}  // namespace

void pineal(Canvas& v, const Keep& keep, Dice& dice) {
  const Vector3f at(dice.between(-1.5, 1.5), dice.between(12, 32), 0);
  lump(v, keep, at, some_slice(v, dice), dice.between(1.2, 4), dice.log_between(65, 450), 0.4F, 1.5F, dice);
}

void choroid_plexus(Canvas& v, const Keep& keep, Dice& dice) {
  const auto place = draw_pixel(v, dice, [&](auto s, auto r, auto c) {
    const Vector3f h = v.head(s, r, c);
    return v.ventricle(s, r, c) > 0.4F && std::abs(h.x()) > 7 && h.y() > 8;
  });
  if (!place) return;
  const Vector3f at = v.head((*place)[0], (*place)[1], (*place)[2]);
  const float radius = dice.between(1.5, 5.5), hu = dice.log_between(70, 350), slice = some_slice(v, dice);
  lump(v, keep, at, slice, radius, hu, 0.7F, 1.5F, dice);
  if (dice.chance(0.75)) {
    const Vector3f other(-at.x() + dice.between(-3, 3), at.y() + dice.between(-4, 4), 0);
    lump(v, keep, other, slice, radius * dice.between(0.6, 1.3), hu * dice.between(0.7, 1.3), 0.7F, 1.5F, dice);
  }
}

void basal_ganglia(Canvas& v, const Keep& keep, Dice& dice) {
  const Vector3f at(dice.between(13, 24), dice.between(-12, 10), 0);
  const float radius = dice.between(1.5, 6), hu = dice.log_between(44, 200), edge = dice.between(1.5, 4);
  const float slice = some_slice(v, dice);
  lump(v, keep, at, slice, radius, hu, 1.0F, edge, dice);
  lump(v, keep, Vector3f(-at.x() + dice.between(-2, 2), at.y() + dice.between(-2, 2), 0), slice,
       radius * dice.between(0.7, 1.3), hu * dice.between(0.85, 1.15), 1.0F, edge, dice);
}

void nodules(Canvas& v, const Keep& keep, Dice& dice) {
  const auto place = draw_pixel(v, dice, [&](auto s, auto r, auto c) { return v.depth(s, r, c) > 4; });
  if (!place) return;
  const Vector3f at = v.head((*place)[0], (*place)[1], (*place)[2]);
  const auto slice = float((*place)[0]);
  if (dice.chance(0.5)) {  // scars, cysticercosis: small and as dense as bone
    lump(v, keep, at, slice, dice.between(1, 4), dice.log_between(110, 600), 0.3F, 1.2F, dice);
    return;
  }
  const float radius = dice.between(6, 16);  // a rim around a dark middle, in oedema
  lump(v, keep, at, slice, radius * dice.between(1.3, 2), v.brain_hu - dice.between(6, 12), 0.5F, 6, dice);
  lump(v, keep, at, slice, radius, v.brain_hu + dice.between(3, 9), 0.3F, 2, dice);
  lump(v, keep, at, slice, radius * dice.between(0.5, 0.8), dice.between(12, 26), 0.3F, 2, dice);
}

void falx(Canvas& v, const Keep& keep, Dice& dice) {
  const bool calcified = dice.chance(0.45);
  const float half_mm = calcified ? dice.between(0.6, 2.2) : dice.between(0.5, 1.1);
  const float hu = calcified ? dice.log_between(85, 500) : dice.between(46, 64);
  const float from = calcified ? dice.between(-80, 60) : -200.0F;
  const float to = calcified ? from + dice.between(5, 50) : 200.0F;
  float front = 1000, back = -1000;
  v.inside([&](std::int64_t s, std::int64_t r, std::int64_t c) {
    if (v.ventricle(s, r, c) < 0.5F) return;
    front = std::min(front, v.head(s, r, c).y() - 6);
    back = std::max(back, v.head(s, r, c).y() + 6);
  });
  const auto seed = dice.bits();
  v.inside([&](std::int64_t s, std::int64_t r, std::int64_t c) {
    const Vector3f h = v.head(s, r, c);
    if (std::abs(h.x()) > 8 || (h.y() > front && h.y() < back)) return;
    const float ends = ramp(h.y() - from, 0, 5) * ramp(to - h.y(), 0, 5);
    const Vector3f p = v.mm(s, r, c);
    const float width = half_mm * (1 + (calcified ? 1.2F : 0.4F) * lattice_noise(seed, p, 9));
    const float off = std::abs(h.x() + lattice_noise(seed + 1, p, 45)) - width;
    put(v, keep, s, r, c, ends * shapes::inside(off, 1.2F), hu);
  });
}

void tentorium(Canvas& v, const Keep& keep, Dice& dice) {
  const float half_mm = dice.between(0.5, 1.2), hu = dice.between(46, 62);
  const Vector3f torcula(0, dice.between(62, 76), 0), bend(dice.between(10, 24), dice.between(35, 55), 0),
      ridge(dice.between(30, 50), dice.between(5, 30), 0);
  const bool apex = dice.chance(0.5);  // higher up: a V that does not reach the ridges
  v.inside([&](std::int64_t s, std::int64_t r, std::int64_t c) {
    Vector3f h = v.head(s, r, c);
    h.x() = std::abs(h.x());
    h.z() = 0;
    float d = shapes::tube(h, torcula, half_mm, bend, half_mm);
    if (!apex) d = std::min(d, shapes::tube(h, bend, half_mm, ridge, half_mm * 0.7F));
    if (d < 3) put(v, keep, s, r, c, shapes::inside(d, 1.5F), hu);
  });
}

void sinuses(Canvas& v, const Keep& keep, Dice& dice) {
  const float hu = dice.between(48, 68);
  const bool sides = dice.chance(0.35);  // transverse rather than sagittal
  const float behind = dice.chance(0.8) ? 1.0F : -1.0F;
  const float size_mm = dice.between(2.5, 6.5), drop = dice.between(0.35, 0.9), lean = dice.between(-0.5, 0.5);
  const float from = dice.between(2, 15), to = from + dice.between(10, 35), side = dice.sign();
  v.inside([&](std::int64_t s, std::int64_t r, std::int64_t c) {
    const Vector3f h = v.head(s, r, c);
    const float depth = v.depth(s, r, c);
    if (behind * h.y() < 25 || depth > 20) return;
    if (sides) {  // a band on the inner table
      const float x = side * h.x();
      const float ends = ramp(x - from, 0, 6) * ramp(to - x, 0, 8);
      put(v, keep, s, r, c, ends * shapes::inside(depth - size_mm, 1.5F), hu);
    } else {  // a triangle with its base on the skull
      const float d = std::max(std::abs(h.x() - lean * depth) - (size_mm - drop * depth), depth - 1.6F * size_mm);
      put(v, keep, s, r, c, shapes::inside(d, 1.5F), hu);
    }
  });
}

void arteries(Canvas& v, const Keep& keep, Dice& dice) {
  const float hu = dice.between(46, 66), radius = dice.between(0.8, 1.9);
  const auto place = draw_pixel(v, dice, [&](auto s, auto r, auto c) {
    const Vector3f h = v.head(s, r, c);
    return v.csf(s, r, c) > 0.4F && std::abs(h.x()) < 35 && std::abs(h.y()) < 40 && v.depth(s, r, c) > 8;
  });
  if (!place) return;
  const auto slice = float((*place)[0]);
  Vector3f from = v.head((*place)[0], (*place)[1], (*place)[2]);
  from.z() = 0;
  const bool cut_across = dice.chance(0.4);
  const float angle = dice.between(-0.5, 0.5);
  const Vector3f to = from + (cut_across ? 0.5F : dice.between(6, 24)) *
                                 Vector3f(std::copysign(std::cos(angle), from.x()), std::sin(angle), 0);
  v.inside([&](std::int64_t s, std::int64_t r, std::int64_t c) {
    Vector3f h = v.head(s, r, c);
    h.z() = 0;
    const float d = shapes::tube(h, from, radius, to, 0.7F * radius);
    if (d < 3) put(v, keep, s, r, c, shapes::inside(d, 1.4F) * through(v, s, slice, cut_across ? 12 : 2), hu);
  });
}

}  // namespace ichdet::train::falls
