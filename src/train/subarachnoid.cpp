#include <algorithm>
#include <cmath>

#include "ichdet/phantom/distance.hpp"
#include "ichdet/phantom/random.hpp"
#include "strokes.hpp"

namespace ichdet::train {
namespace {

using Eigen::Vector3f;
using shapes::ramp;

/// Sheets that enter the cortex as sulci do, for brains whose own are too narrow to be seen.
class DrawnSulci {
 public:
  explicit DrawnSulci(Dice& dice)
      : waves_(dice.bits(), 10, dice.between(18, 30)),
        half_mm_(dice.between(0.6, 1.4)),
        deep_mm_(dice.between(6, 18)) {}
  float operator()(const Vector3f& p, float depth) const {
    if (depth > deep_mm_ + 4) return 0;
    Vector3f slope;
    const float value = waves_(p, &slope);
    const float mm = std::abs(value) / std::max(slope.norm(), 0.02F);
    return shapes::inside(mm - half_mm_, soft_mm_) * ramp(deep_mm_ - depth, -4, 6);
  }

 private:
  WaveField waves_;
  float half_mm_, deep_mm_, soft_mm_;
};

}  // namespace

std::optional<Stroke> draw_subarachnoid(const Canvas& v, Dice& dice) {
  // Around one to three points, on one side or on both.
  struct Focus {
    Vector3f at;
    float reach_mm;
  };
  std::vector<Focus> foci;
  const bool deep = dice.chance(0.35);  // cisterns and Sylvian fissures rather than the convexity
  const bool wide = dice.chance(0.25);
  const int wanted = wide ? 3 : 1 + dice.below(2);
  for (int i = 0; i < wanted; ++i) {
    const auto at = draw_pixel(v, dice, [&](auto s, auto r, auto c) {
      const float fluid = v.csf(s, r, c) - v.ventricle(s, r, c);
      return deep ? fluid > 0.4F && v.depth(s, r, c) > 10 : v.depth(s, r, c) < 14;
    });
    if (at) foci.push_back({v.mm((*at)[0], (*at)[1], (*at)[2]), wide ? dice.between(35, 80) : dice.between(9, 35)});
  }
  if (foci.empty()) return std::nullopt;
  const float draw_sulci = !deep && dice.chance(0.3) ? dice.between(0.45, 0.9) : 0.0F;
  const DrawnSulci drawn(dice);
  const float widen = dice.between(1, 1.9);
  const float fill = dice.between(0.65, 1);
  const float film_mm = dice.chance(0.3) ? dice.between(0.5, 2) : -5.0F;  // over the surface too
  const float patchy = dice.between(0, 1);
  const auto seed = dice.bits();
  const Blood blood(HemorrhageType::subarachnoid, v, dice);
  Stroke result;
  result.type = HemorrhageType::subarachnoid;
  result.part = Array3<float>(v.stack.hu.shape());
  result.hu = Array3<float>(v.stack.hu.shape());
  float most = 0;
  v.inside([&](std::int64_t s, std::int64_t r, std::int64_t c) {
    const Vector3f p = v.mm(s, r, c);
    float near = 0;
    for (const auto& focus : foci) {
      Vector3f step = p - focus.at;
      step.z() *= 0.7F;
      near = std::max(near, ramp(focus.reach_mm * 1.25F - step.norm(), 0, 0.5F * focus.reach_mm));
    }
    if (near <= 0) return;
    const float depth = v.depth(s, r, c);
    const float valley = depth < 30 ? 0.75F * ramp(v.broad(s, r, c) - v.smooth(s, r, c), 2.0F, 6.5F) : 0.0F;
    float fluid = std::max(v.csf(s, r, c) * (1 - v.ventricle(s, r, c)), valley);
    fluid = std::min(1.0F, widen * fluid);
    if (draw_sulci > 0) {
      const float broken = ramp(lattice_noise(seed + 1, p, 9), -0.3F, 0.1F);
      fluid = std::max(fluid, draw_sulci * broken * drawn(p, depth));
    }
    fluid = std::max(fluid, shapes::inside(depth - film_mm, 1.6F));
    if (fluid < 0.05F) return;
    const float gone = ramp(lattice_noise(seed, p, 13), 0.9F - patchy, 1.1F - patchy);
    const float part = fluid * near * fill * (1 - gone);
    result.part(s, r, c) = part;
    result.hu(s, r, c) = blood(s, r, c);
    most = std::max(most, part);
  });
  if (most < 0.3F) return std::nullopt;
  return result;
}

}  // namespace ichdet::train
