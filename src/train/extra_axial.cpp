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

Stroke stroke(HemorrhageType type, const Canvas& v, const Array3<float>& distance, float edge_mm, Dice& dice) {
  Stroke result;
  result.type = type;
  result.part = parts(v, distance, edge_mm, dice.between(0, 0.7));
  result.hu = Array3<float>(distance.shape());
  const Blood blood(type, v, dice);
  v.inside([&](std::int64_t s, std::int64_t r, std::int64_t c) {
    if (result.part(s, r, c) > 0) result.hu(s, r, c) = blood(s, r, c);
  });
  return result;
}

/// A crescent over one hemisphere: thickest at one direction from the middle of the head, thinning to both sides.
Array3<float> crescent(const Canvas& v, Dice& dice) {
  Array3<float> distance(v.stack.hu.shape(), never);
  const float side = dice.sign();
  const float thick_mm = dice.log_between(2, 20);
  const float towards = dice.between(0.1, 0.95) * 3.14159F;  // 0: forehead
  const float reach = dice.between(0.35, 1.5);
  const float blunt = dice.between(0.35, 1.1);
  const float upwards = dice.between(-0.3, 0.8);
  const float wave_mm = std::min(thick_mm * dice.between(0.05, 0.35), 3.0F), period_mm = dice.between(12, 40);
  const auto seed = dice.bits();
  Vector3f centre(side * std::sin(towards), -std::cos(towards), v.slices > 1 ? upwards : 0);
  centre.normalize();
  const float over_midline = dice.chance(0.1) ? 4.0F : 0.0F;
  v.inside([&](std::int64_t s, std::int64_t r, std::int64_t c) {
    const float depth = v.depth(s, r, c);
    if (depth > 60) return;
    Vector3f h = v.head(s, r, c);
    const float beyond = -(side * h.x() + over_midline);
    if (beyond > 0) return;
    h = Vector3f(h.x() / 67, h.y() / 83, v.slices > 1 ? std::clamp(h.z() / 74, -0.6F, 1.0F) : 0.0F);
    const float away = std::acos(std::clamp(h.normalized().dot(centre), -1.0F, 1.0F)) / reach;
    if (away > 1) return;
    const float here = thick_mm * std::pow(1 - away * away, blunt) * ramp(-beyond, 0, 6) +
                       wave_mm / 0.35F * lattice_noise(seed, v.mm(s, r, c), period_mm) * (1 - away);
    distance(s, r, c) = depth - here + 0.3F;
  });
  return distance;
}

/// Along the falx: a thin band on one of its sides, in front of or behind the ventricles, or all along above them.
Array3<float> beside_falx(const Canvas& v, Dice& dice) {
  Array3<float> distance(v.stack.hu.shape(), never);
  float front = 1000, back = -1000;
  v.inside([&](std::int64_t s, std::int64_t r, std::int64_t c) {
    if (v.ventricle(s, r, c) < 0.5F) return;
    const float y = v.head(s, r, c).y();
    front = std::min(front, y);
    back = std::max(back, y);
  });
  const bool above = front > back && v.round > 0.9F;
  if (front > back && !above) return distance;
  const bool behind = dice.chance(0.6);
  float from = -200, to = 200;
  if (above) {
    if (dice.chance(0.6)) (behind ? from : to) = dice.between(-25, 25);
  } else {
    (behind ? from : to) = behind ? back + 8 : front - 8;
  }
  const float side = dice.sign();
  const float thick_mm = dice.log_between(3.2, 9);
  const float wave_mm = dice.between(0, 0.3) * thick_mm;
  const auto seed = dice.bits();
  v.inside([&](std::int64_t s, std::int64_t r, std::int64_t c) {
    const Vector3f h = v.head(s, r, c);
    const float ends = std::min(ramp(h.y() - from, 0, 14), ramp(to - h.y(), 0, 14));
    if (std::abs(h.x()) > thick_mm + 6 || ends <= 0) return;
    const float here = thick_mm * (0.4F + 0.6F * ends) + wave_mm / 0.35F * lattice_noise(seed, v.mm(s, r, c), 18);
    distance(s, r, c) = std::abs(side * h.x() - here / 2 + 0.4F) - here / 2;
  });
  return distance;
}

/// On the tentorium: a band from the torcula sidewards and forwards, blurred as the sheet is slanted.
Array3<float> on_tentorium(const Canvas& v, Dice& dice) {
  Array3<float> distance(v.stack.hu.shape(), never);
  const float side = dice.sign();
  const float thick_mm = dice.between(2.5, 8);
  const Vector3f torcula(2, dice.between(66, 78), 0);
  const Vector3f bend(dice.between(14, 30), dice.between(40, 60), 0),
      ridge(dice.between(34, 52), dice.between(8, 35), 0);
  const float climb = dice.between(-0.8, 0.8);  // mm sidewards for each mm up
  const auto seed = dice.bits();
  v.inside([&](std::int64_t s, std::int64_t r, std::int64_t c) {
    Vector3f h = v.head(s, r, c);
    h.x() = side * h.x() + climb * float(s - v.slices / 2) * v.gap_mm;
    h.z() = 0;
    const float d = std::min(shapes::tube(h, torcula, thick_mm / 2, bend, thick_mm / 2),
                             shapes::tube(h, bend, thick_mm / 2, ridge, 0.6F));
    if (d < 6) distance(s, r, c) = d + 1.2F / 0.35F * lattice_noise(seed, v.mm(s, r, c), 14);
  });
  return distance;
}

/// Where a ray from the middle of a slice's cavity leaves it, and the slice.
std::optional<std::pair<Vector3f, Vector3f>> point_on_skull(const Canvas& v, Dice& dice) {
  const std::int64_t s = dice.below(int(v.slices));
  Vector3f sum = Vector3f::Zero();
  float n = 0;
  for (auto r = v.box[0]; r <= v.box[1]; r += 2) {
    for (auto c = v.box[2]; c <= v.box[3]; c += 2) {
      if (!(v.depth(s, r, c) > 0)) continue;
      sum += v.mm(s, r, c);
      ++n;
    }
  }
  if (n == 0) return std::nullopt;
  const Vector3f middle = sum / n;
  const float angle = dice.between(0, 6.2832);
  const Vector3f ray(std::cos(angle), std::sin(angle), 0);
  for (float t = 150; t > 5; t -= 0.5F) {
    const Vector3f p = middle + t * ray;
    const auto r = std::int64_t(std::lround(p.y() / v.row_mm)), c = std::int64_t(std::lround(p.x() / v.column_mm));
    if (r < 1 || c < 1 || r + 1 >= v.rows || c + 1 >= v.columns || !(v.depth(s, r, c) > 0)) continue;
    return std::pair{p, Vector3f(-ray)};
  }
  return std::nullopt;
}

}  // namespace

std::optional<Stroke> draw_subdural(const Canvas& v, Dice& dice) {
  const double kind = dice.uniform();
  auto distance = kind < 0.74 ? crescent(v, dice) : kind < 0.92 ? beside_falx(v, dice) : on_tentorium(v, dice);
  if (kind < 0.74 && dice.chance(0.12)) {
    const auto other = beside_falx(v, dice);
    for (std::int64_t i = 0; i < distance.size(); ++i) {
      distance.data()[i] = std::min(distance.data()[i], other.data()[i]);
    }
  }
  auto result = stroke(HemorrhageType::subdural, v, distance, dice.between(0.8, 2.5), dice);
  if (kind < 0.74 && dice.chance(0.75)) result.distance = distance;
  return result;
}

std::optional<Stroke> draw_epidural(const Canvas& v, Dice& dice) {
  const auto place = point_on_skull(v, dice);
  if (!place) return std::nullopt;
  const auto& [surface, inwards] = *place;
  // A lens: what the cavity shares with a ball that dips `thick_mm` into it.
  const float thick_mm = dice.log_between(3.5, 28);
  const float half_mm = thick_mm * dice.between(1.1, 2.6);
  const float radius_mm = (half_mm * half_mm + thick_mm * thick_mm) / (2 * thick_mm);
  const Vector3f centre =
      surface + inwards * (thick_mm - radius_mm) + Vector3f(0, 0, dice.between(-0.4, 0.4) * half_mm);
  const float flat = dice.between(0.7, 1.1);
  const float wave_mm = dice.between(0.2, 0.8);
  const auto seed = dice.bits();
  Array3<float> distance(v.stack.hu.shape(), never);
  v.inside([&](std::int64_t s, std::int64_t r, std::int64_t c) {
    Vector3f from = v.mm(s, r, c) - centre;
    from.z() *= flat;
    const float d = from.norm() - radius_mm;
    if (d < 40) distance(s, r, c) = d + wave_mm / 0.35F * lattice_noise(seed, v.mm(s, r, c), 20);
  });
  auto result = stroke(HemorrhageType::epidural, v, distance, dice.between(0.8, 2.2), dice);
  if (dice.chance(0.8)) result.distance = distance;
  return result;
}

}  // namespace ichdet::train
