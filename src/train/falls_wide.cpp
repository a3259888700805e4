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

/// 1 within half of `reach` (radians) of a direction from the middle of the head, falling to 0 at `reach`.
float sector(const Vector3f& head, float towards, float reach) {
  const float angle = std::atan2(head.x() / 67, -head.y() / 83);
  const float away = std::abs(std::remainder(angle - towards, 6.2832F));
  return ramp(reach - away, 0, 0.5F * reach);
}

}  // namespace

void inner_table(Canvas& v, const Keep& keep, Dice& dice) {
  const float thick_mm = dice.log_between(1.2, 9), hu = dice.log_between(250, 1100);
  const bool both = dice.chance(0.6);
  const float towards = dice.between(-3.14, 3.14), reach = dice.between(0.3, 1.6), bumps = dice.between(0.1, 0.9);
  const float period = dice.between(7, 25), edge = dice.between(0.8, 2.5);
  const auto seed = dice.bits();
  v.inside([&](std::int64_t s, std::int64_t r, std::int64_t c) {
    const float depth = v.depth(s, r, c);
    if (depth > 2.5F * thick_mm + 2) return;
    Vector3f h = v.head(s, r, c);
    float here = sector(h, towards, reach);
    if (both) here = std::max(here, sector(h, -towards, reach));
    if (here <= 0) return;
    here *= thick_mm * (1 + bumps / 0.5F * lattice_noise(seed, v.turned(s, r, c), period));
    put(v, keep, s, r, c, shapes::inside(depth - here, edge), hu);
  });
}

void bone_partial(Canvas& v, const Keep& keep, Dice& dice) {
  const auto seed = dice.bits();
  if (dice.chance(0.6)) {  // a slanted skull: a haze that rises towards it
    const float share = dice.between(0.05, 0.5), reach_mm = dice.between(1, 4.5);
    const float towards = dice.between(-3.14, 3.14), reach = dice.between(0.4, 3.5);
    v.inside([&](std::int64_t s, std::int64_t r, std::int64_t c) {
      const float depth = v.depth(s, r, c);
      if (depth > 6 * reach_mm) return;
      const float rough = 1 + 0.8F * lattice_noise(seed, v.turned(s, r, c), 12);
      const float bone = share * rough * sector(v.head(s, r, c), towards, reach) * std::exp(-depth / reach_mm);
      put(v, keep, s, r, c, bone, 850);
    });
    return;
  }
  // The tip of a ridge, a clinoid process or an orbital roof, near the skull.
  const int tips = 1 + dice.below(3);
  for (int i = 0; i < tips; ++i) {
    const auto place = draw_pixel(v, dice, [&](auto s, auto r, auto c) { return v.depth(s, r, c) < 7; });
    if (!place) return;
    const Vector3f at = v.mm((*place)[0], (*place)[1], (*place)[2]);
    const float radius = dice.between(2, 8), peak = dice.log_between(0.05, 0.6), turn = dice.between(0, 3.14);
    const float longer = dice.between(1, 2.2);
    v.inside([&](std::int64_t s, std::int64_t r, std::int64_t c) {
      const Vector3f from = v.mm(s, r, c) - at;
      const float x = (std::cos(turn) * from.x() + std::sin(turn) * from.y()) / longer;
      const float y = std::cos(turn) * from.y() - std::sin(turn) * from.x();
      const float away = (x * x + y * y + 0.3F * from.z() * from.z()) / (radius * radius);
      if (away > 6) return;
      const float rough = 1 + 0.6F * lattice_noise(seed, v.turned(s, r, c), 5);
      put(v, keep, s, r, c, std::min(1.0F, peak * rough * std::exp(-away)), 850);
    });
  }
}

void infarct(Canvas& v, const Keep& keep, Dice& dice) {
  const auto place = draw_pixel(v, dice, [&](auto s, auto r, auto c) { return v.depth(s, r, c) > 3; });
  if (!place) return;
  const Vector3f at = v.mm((*place)[0], (*place)[1], (*place)[2]);
  const float radius = dice.log_between(4, 40), edge = dice.between(2, 10);
  const float hu = v.brain_hu - dice.between(4, v.brain_hu - 8);
  const auto seed = dice.bits();
  v.inside([&](std::int64_t s, std::int64_t r, std::int64_t c) {
    Vector3f from = v.mm(s, r, c) - at;
    if (std::abs(from.x()) > 2 * radius + edge || std::abs(from.y()) > 2 * radius + edge) return;
    from.z() *= 0.6F;
    const float rough = 1 + 0.5F * lattice_noise(seed, v.turned(s, r, c), radius) +
                        0.3F * lattice_noise(seed + 1, v.turned(s, r, c), std::max(3.0F, 0.4F * radius));
    const float part = shapes::inside(from.norm() - radius * rough, edge);
    const bool darker = v.smooth(s, r, c) > hu;
    if (darker && v.stack.hu(s, r, c) < 80) put(v, keep, s, r, c, part * (1 - v.csf(s, r, c)), hu);
  });
}

void hygroma(Canvas& v, const Keep& keep, Dice& dice) {
  const float thick_mm = dice.log_between(2, 14), hu = dice.between(5, 26);
  const float towards = dice.between(0.2, 2.2) * dice.sign(), reach = dice.between(0.5, 1.8);
  const bool both = dice.chance(0.5);
  v.inside([&](std::int64_t s, std::int64_t r, std::int64_t c) {
    const float depth = v.depth(s, r, c);
    if (depth > thick_mm + 2 || v.stack.hu(s, r, c) > (v.clipped ? v.high_hu - 1 : 90)) return;
    const Vector3f h = v.head(s, r, c);
    float here = sector(h, towards, reach);
    if (both) here = std::max(here, sector(h, -towards, reach));
    put(v, keep, s, r, c, shapes::inside(depth - thick_mm * here, 1.8F), hu);
  });
}

void scalp(Canvas& v, const Keep& keep, Dice& dice) {
  const float towards = dice.between(-3.14, 3.14), reach = dice.between(0.2, 0.9);
  const float hu = dice.between(42, 72);
  const auto seed = dice.bits();
  for (std::int64_t s = 0; s < v.slices; ++s) {
    for (std::int64_t r = 0; r < v.rows; ++r) {
      for (std::int64_t c = 0; c < v.columns; ++c) {
        const float value = v.stack.hu(s, r, c);
        if (v.depth(s, r, c) > 0 || value > (v.clipped ? v.high_hu - 1 : 80) ||
            value < (v.clipped ? v.low_hu + 6 : -140))
          continue;
        if (!keep.empty() && keep(s, r, c) != 0) continue;
        const bool beside = (r >= v.box[0] && r <= v.box[1]) || (c >= v.box[2] && c <= v.box[3]);
        const float here = beside ? sector(v.head(s, r, c), towards, reach) : 0.0F;
        if (here <= 0) continue;
        const float part = here * ramp(lattice_noise(seed, v.turned(s, r, c), 15), -0.5F, 0);
        v.stack.hu(s, r, c) = std::clamp(value + part * (hu - value) * 0.9F, v.low_hu, v.high_hu);
      }
    }
  }
}

}  // namespace ichdet::train::falls
