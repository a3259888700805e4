#include <algorithm>
#include <cmath>

#include "falls.hpp"
#include "ichdet/phantom/distance.hpp"
#include "ichdet/phantom/random.hpp"

namespace ichdet::train::falls {
namespace {

using Eigen::Vector3f;
using shapes::ramp;

/// Calls use(s, r, c) for each pixel of the box and what lies `margin` pixels around it.
template <class Use>
void around(const Canvas& v, std::int64_t margin, Use&& use) {
  for (std::int64_t s = 0; s < v.slices; ++s) {
    for (auto r = std::max<std::int64_t>(v.box[0] - margin, 0); r <= std::min(v.box[1] + margin, v.rows - 1); ++r) {
      for (auto c = std::max<std::int64_t>(v.box[2] - margin, 0); c <= std::min(v.box[3] + margin, v.columns - 1);
           ++c) {
        use(s, r, c);
      }
    }
  }
}

}  // namespace

void bands(Canvas& v, const Keep&, Dice& dice) {
  const float turn = dice.between(-0.35, 0.35), centre = dice.between(-40, 60), width = dice.between(8, 45);
  const float strength = dice.between(3, 14), period = dice.between(4, 20);
  const auto seed = dice.bits();
  around(v, 4, [&](std::int64_t s, std::int64_t r, std::int64_t c) {
    const Vector3f h = v.head(s, r, c);
    const float along = std::cos(turn) * h.x() + std::sin(turn) * h.y();
    const float across = std::cos(turn) * h.y() - std::sin(turn) * h.x() - centre;
    const float here = ramp(width - std::abs(across), 0, 0.6F * width);
    if (here <= 0) return;
    const float stripe = lattice_noise(seed, {across, along / 12, float(s) * 3}, period);
    raise(v, s, r, c, strength / 0.35F * 0.6F * here * (stripe - 0.1F));
  });
}

void streaks(Canvas& v, const Keep&, Dice& dice) {
  const float towards = dice.between(0, 6.2832), away = dice.between(0.6, 1.3);
  const Vector3f from(67 * away * std::sin(towards), 83 * away * std::cos(towards), 0);
  const float strength = dice.log_between(4, 40), near_mm = dice.between(10, 50), fine = dice.between(0.05, 0.3);
  const auto seed = dice.bits();
  around(v, 4, [&](std::int64_t s, std::int64_t r, std::int64_t c) {
    const Vector3f h = v.head(s, r, c) - from;
    const float angle = std::atan2(h.x(), h.y());
    const float ray = lattice_noise(seed, {std::cos(angle), std::sin(angle), float(s) * 0.1F}, fine);
    raise(v, s, r, c, strength / 0.35F * 0.6F * ray * near_mm / (near_mm + h.head<2>().norm()));
  });
}

void motion(Canvas& v, const Keep& keep, Dice& dice) {
  if (std::ranges::any_of(keep, [](auto label) { return label != 0; })) return;  // a label cannot follow a ghost
  const float reach = dice.between(1, 5), angle = dice.between(0, 6.2832), share = dice.between(0.15, 0.5);
  const auto down = std::int64_t(std::lround(reach * std::sin(angle) / v.row_mm));
  const auto across = std::int64_t(std::lround(reach * std::cos(angle) / v.column_mm));
  const auto before = v.stack.hu.clone();
  for (std::int64_t s = 0; s < v.slices; ++s) {
    for (std::int64_t r = 0; r < v.rows; ++r) {
      for (std::int64_t c = 0; c < v.columns; ++c) {
        const auto y = std::clamp<std::int64_t>(r + down, 0, v.rows - 1);
        const auto x = std::clamp<std::int64_t>(c + across, 0, v.columns - 1);
        v.stack.hu(s, r, c) += share * (before(s, y, x) - before(s, r, c));
      }
    }
  }
}

void bright_rim(Canvas& v, const Keep&, Dice& dice) {
  const float rise = dice.between(3, 15), reach_mm = dice.between(2.5, 11);
  v.inside([&](std::int64_t s, std::int64_t r, std::int64_t c) {
    raise(v, s, r, c, rise * std::exp(-v.depth(s, r, c) / reach_mm));
  });
}

void bright_side(Canvas& v, const Keep&, Dice& dice) {
  const float rise = dice.between(3, 9), angle = dice.between(0, 6.2832), start = dice.between(-30, 40);
  const float width = dice.between(8, 60);
  v.inside([&](std::int64_t s, std::int64_t r, std::int64_t c) {
    const Vector3f h = v.head(s, r, c);
    const float along = std::sin(angle) * h.x() + std::cos(angle) * h.y() - start;
    raise(v, s, r, c, rise * ramp(along, 0, width));
  });
}

void bright_cortex(Canvas& v, const Keep&, Dice& dice) {
  const float rise = dice.between(3, 9), reach_mm = dice.between(6, 20);
  const auto seed = dice.bits();
  const float patchy = dice.between(-1, 0.3);
  v.inside([&](std::int64_t s, std::int64_t r, std::int64_t c) {
    const float depth = v.depth(s, r, c);
    if (depth > reach_mm) return;
    const float tissue = ramp(v.smooth(s, r, c) - v.brain_hu, -6, 2);
    const float here = ramp(lattice_noise(seed, v.mm(s, r, c), 35), patchy - 0.2F, patchy + 0.2F);
    raise(v, s, r, c, rise * tissue * here * ramp(reach_mm - depth, 0, 6));
  });
}

}  // namespace ichdet::train::falls
