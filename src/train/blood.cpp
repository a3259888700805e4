#include <algorithm>

#include "ichdet/phantom/distance.hpp"
#include "ichdet/phantom/random.hpp"
#include "strokes.hpp"

namespace ichdet::train {

Blood::Blood(HemorrhageType type, const Canvas& canvas, Dice& dice) : canvas_(canvas), seed_(dice.bits()) {
  const bool beside_bone = type == HemorrhageType::subdural || type == HemorrhageType::epidural;
  texture_hu_ = dice.between(0.5, 5);
  texture_mm_ = dice.between(3, 14);
  density_hu_ = dice.between(54, 76);
  const double kind = dice.uniform();
  if (type == HemorrhageType::subarachnoid) {
    density_hu_ = dice.between(46, 74);
  } else if (type == HemorrhageType::intraventricular) {
    density_hu_ = dice.between(46, 78);
  } else if (beside_bone && kind < 0.18) {  // days to weeks old
    density_hu_ = dice.between(38, 50);
  } else if (kind > 0.72) {  // active, or clotting
    pocket_hu_ = dice.between(8, 26);
    pocket_mm_ = dice.between(5, 18);
  }
  const bool layers =
      type == HemorrhageType::subdural ? dice.chance(0.22) : type != HemorrhageType::subarachnoid && dice.chance(0.07);
  if (layers) {
    level_y_ = dice.between(-40, 60);
    level_drop_hu_ = dice.between(10, 34);
    level_width_ = dice.between(1, 25);
  }
}

float Blood::operator()(std::int64_t s, std::int64_t r, std::int64_t c) const {
  const Eigen::Vector3f p = canvas_.turned(s, r, c);
  float hu = density_hu_ + texture_hu_ / 0.35F * lattice_noise(seed_, p, texture_mm_);
  if (pocket_hu_ > 0) hu -= pocket_hu_ * shapes::ramp(lattice_noise(seed_ + 1, p, pocket_mm_), -0.1F, 0.45F);
  if (level_drop_hu_ > 0) {
    hu -= level_drop_hu_ * shapes::ramp(level_y_ - canvas_.head(s, r, c).y(), -level_width_, level_width_);
  }
  return std::clamp(hu, 24.0F, 90.0F);
}

}  // namespace ichdet::train
