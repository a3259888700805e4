#include <algorithm>
#include <cmath>
#include <limits>

#include "ichdet/phantom/distance.hpp"
#include "ichdet/phantom/random.hpp"
#include "strokes.hpp"

namespace ichdet::train {
namespace {

using Eigen::Vector3f;
using shapes::ramp;

constexpr float never = std::numeric_limits<float>::infinity();

/// Joins a warped ellipsoid around `centre` (slab mm) to `distance`.
void join_ellipsoid(const Canvas& v, Array3<float>& distance, const Vector3f& centre, float radius_mm, Dice& dice) {
  const Eigen::Matrix3f turn = (Eigen::AngleAxisf(dice.between(0, 6.2832), Vector3f::UnitZ()) *
                                Eigen::AngleAxisf(dice.between(-0.4, 0.4), Vector3f::UnitX()))
                                   .toRotationMatrix();
  const Vector3f radii = radius_mm * Vector3f(dice.between(0.9, 1.6), dice.between(0.6, 1), dice.between(0.7, 1.2));
  const float rough = radius_mm * dice.between(0.05, 0.35), fine = radius_mm * dice.between(0, 0.15);
  const float period = std::max(4.0F, radius_mm * dice.between(0.7, 1.4));
  const auto seed = dice.bits();
  const float reach = radii.maxCoeff() + 3 * rough + 3 * fine + 12;
  v.inside([&](std::int64_t s, std::int64_t r, std::int64_t c) {
    const Vector3f from = v.mm(s, r, c) - centre;
    if (from.squaredNorm() > reach * reach) return;
    if (v.depth(s, r, c) < 1.2F) return;
    float d = shapes::ellipsoid(turn.transpose() * from, Vector3f::Zero(), radii);
    d += rough / 0.35F * 0.6F * lattice_noise(seed, v.turned(s, r, c), period);
    d += fine / 0.35F * 0.6F * lattice_noise(seed + 1, v.turned(s, r, c), period * 0.4F);
    d += 4 * v.csf(s, r, c);  // blood keeps to tissue
    distance(s, r, c) = std::min(distance(s, r, c), d);
  });
}

Vector3f beside(const Vector3f& centre, float reach_mm, Dice& dice) {
  return centre + reach_mm * Vector3f(dice.normal(), dice.normal(), 0.6F * dice.normal());
}

}  // namespace

std::optional<Stroke> draw_intraparenchymal(const Canvas& v, Dice& dice) {
  const double kind = dice.uniform();  // one bleed; contusions beside the skull; small ones scattered
  const bool contusions = kind > 0.55 && kind < 0.82;
  const auto tissue = [&](auto s, auto r, auto c) {
    const float depth = v.depth(s, r, c);
    return v.csf(s, r, c) < 0.3F && (contusions ? depth > 2 && depth < 14 : depth > 6);
  };
  const auto first = draw_pixel(v, dice, tissue);
  if (!first) return std::nullopt;
  Array3<float> distance(v.stack.hu.shape(), never);
  const Vector3f centre = v.mm((*first)[0], (*first)[1], (*first)[2]);
  if (contusions) {
    const float spread = dice.between(5, 16);
    const int spots = 1 + dice.below(9);
    for (int i = 0; i < spots; ++i) {
      join_ellipsoid(v, distance, i == 0 ? centre : beside(centre, spread, dice), dice.log_between(1.5, 7), dice);
    }
  } else if (kind >= 0.82) {
    const int spots = 1 + dice.below(4);
    for (int i = 0; i < spots; ++i) {
      const auto at = i == 0 ? first : draw_pixel(v, dice, tissue);
      if (at) join_ellipsoid(v, distance, v.mm((*at)[0], (*at)[1], (*at)[2]), dice.log_between(1.8, 5), dice);
    }
  } else {
    const float radius = dice.log_between(4, 26);
    const int lobes = 1 + dice.below(3);
    join_ellipsoid(v, distance, centre, radius, dice);
    for (int i = 1; i < lobes; ++i) {
      join_ellipsoid(v, distance, beside(centre, 0.7F * radius, dice), radius * dice.between(0.3, 0.8), dice);
    }
  }
  Stroke result;
  result.part = parts(v, distance, dice.between(1, 4.5), dice.between(0, 0.8));
  result.hu = Array3<float>(distance.shape());
  const Blood blood(HemorrhageType::intraparenchymal, v, dice);
  v.inside([&](std::int64_t s, std::int64_t r, std::int64_t c) {
    if (result.part(s, r, c) > 0) result.hu(s, r, c) = blood(s, r, c);
  });
  if (dice.chance(0.6)) {
    const float width_mm = dice.between(1.5, 10), drop_hu = dice.between(4, 13), soft_mm = dice.between(2, 6);
    result.oedema = Array3<float>(distance.shape());
    v.inside([&](std::int64_t s, std::int64_t r, std::int64_t c) {
      const float d = distance(s, r, c) - width_mm * (1 + lattice_noise(blood.seed(), v.mm(s, r, c), 10));
      result.oedema(s, r, c) = drop_hu * shapes::inside(d, soft_mm) * (1 - v.csf(s, r, c));
    });
  }
  return result;
}

std::optional<Stroke> draw_intraventricular(const Canvas& v, Dice& dice) {
  float front = 1000, back = -1000, left = 0, right = 0;
  std::int64_t pixels = 0;
  v.inside([&](std::int64_t s, std::int64_t r, std::int64_t c) {
    if (v.ventricle(s, r, c) < 0.4F) return;
    const Vector3f h = v.head(s, r, c);
    front = std::min(front, h.y());
    back = std::max(back, h.y());
    (h.x() > 0 ? left : right) += 1;
    ++pixels;
  });
  if (float(pixels) * v.row_mm * v.column_mm < 40) return std::nullopt;
  const float length = back - front;
  const bool cast = dice.chance(0.3);
  // Blood settles: all behind a level, which differs from side to side and leans a little.
  const float level = cast ? front - 20 : back - std::max(3.0F, length * dice.between(0.05, 0.8));
  const float lean = dice.between(-0.15, 0.15);
  const float width = dice.between(0.5, 4);
  const float side = dice.chance(0.35) ? (dice.uniform() * (left + right) < left ? 1.0F : -1.0F) : 0.0F;
  const float other = dice.between(-0.5, 1) * length;
  const float fill = dice.between(0.8, 1);
  const float clot_hu = dice.chance(0.4) ? dice.between(0.2, 0.9) : 0.0F;  // lumps amid diluted blood
  const auto seed = dice.bits();
  const Blood blood(HemorrhageType::intraventricular, v, dice);
  Stroke result;
  result.type = HemorrhageType::intraventricular;
  result.part = Array3<float>(v.stack.hu.shape());
  result.hu = Array3<float>(v.stack.hu.shape());
  v.inside([&](std::int64_t s, std::int64_t r, std::int64_t c) {
    const float fluid = v.ventricle(s, r, c);
    if (fluid <= 0) return;
    const Vector3f h = v.head(s, r, c);
    const float here = level + lean * h.x() + (side * h.x() < 0 ? std::max(0.0F, other) : 0.0F);
    float part = std::min(1.0F, 1.25F * fluid) * ramp(h.y() - here, -width, width) * fill;
    if (clot_hu > 0) part *= 1 - clot_hu * ramp(lattice_noise(seed, v.mm(s, r, c), 11), -0.05F, 0.3F);
    result.part(s, r, c) = part;
    result.hu(s, r, c) = blood(s, r, c);
  });
  return result;
}

}  // namespace ichdet::train
