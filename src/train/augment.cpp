#include "ichdet/train/augment.hpp"

#include <ATen/ops/flip.h>

#include <Eigen/Geometry>
#include <algorithm>
#include <cmath>
#include <string>

#include "canvas.hpp"
#include "ichdet/core/error.hpp"
#include "resample_slab.hpp"
#include "slab_values.hpp"

namespace ichdet::train {
namespace {

void check(const Slab& slab) {
  const auto& hu = slab.hu;
  const bool floats = hu.defined() && hu.dim() == 3 && hu.scalar_type() == at::kFloat && hu.is_contiguous() &&
                      hu.is_cpu() && hu.numel() > 0;
  if (!floats) {
    throw Error::mismatch(
        ErrorCode::shape, "slab, hu", "contiguous float32 on the CPU of shape (slice, row, column)",
        hu.defined() ? std::string(hu.toString()) + " of " + std::to_string(hu.dim()) + " axes" : "nothing");
  }
  const auto& mask = slab.mask;
  if (mask.defined() && (mask.scalar_type() != at::kByte || mask.sizes() != hu.sizes() || !mask.is_contiguous())) {
    throw Error::mismatch(ErrorCode::shape, "slab, mask", "contiguous uint8 of hu's shape",
                          std::string(mask.toString()) + " of " + std::to_string(mask.dim()) + " axes");
  }
}

/// The value drawn, or `otherwise`. Always uses two numbers, so that one option does not change the others' draws.
double draw(Dice& dice, const Chance& chance, double otherwise) {
  const bool now = dice.chance(chance.probability);
  const double value = dice.between(chance.range[0], chance.range[1]);
  return now ? value : otherwise;
}

void copy_slice(Slab& slab, std::int64_t from, std::int64_t to) {
  slab.hu.select(0, to).copy_(slab.hu.select(0, from));
  if (slab.mask.defined()) slab.mask.select(0, to).copy_(slab.mask.select(0, from));
}

void change_neighbours(Slab& slab, const AugmentOptions& o, Dice& dice) {
  const auto slices = slab.hu.size(0);
  const bool dropout = dice.chance(o.neighbour_dropout);
  const bool repeat = dice.chance(o.neighbour_repeat);
  const bool first = dice.chance(0.5);
  if (slices < 2) return;
  if (dropout) {
    for (std::int64_t s = 0; s < slices; ++s) {
      if (s != slices / 2) copy_slice(slab, slices / 2, s);
    }
  } else if (repeat) {
    copy_slice(slab, first ? 1 : slices - 2, first ? 0 : slices - 1);
  }
}

void flip(Slab& slab, const AugmentOptions& o, Dice& dice) {
  std::vector<std::int64_t> axes;
  const bool slices = dice.chance(o.flip_slices), rows = dice.chance(o.flip_rows),
             columns = dice.chance(o.flip_columns);
  if (slices && slab.hu.size(0) > 1) axes.push_back(0);
  if (rows) axes.push_back(1);
  if (columns) axes.push_back(2);
  if (axes.empty()) return;
  slab.hu = at::flip(slab.hu, axes);
  if (slab.mask.defined()) slab.mask = at::flip(slab.mask, axes);
}

void move(Slab& slab, const AugmentOptions& o, Dice& dice) {
  const auto [gap, row_mm, column_mm] = slab.spacing_mm;
  const double turn = draw(dice, o.rotation_degrees, 0) * M_PI / 180;
  const double tilt_rows = draw(dice, o.tilt_degrees, 0) * M_PI / 180;
  const double tilt_columns = draw(dice, o.tilt_degrees, 0) * M_PI / 180;
  const double scale = draw(dice, o.scale, 1), stretch = draw(dice, o.stretch, 1);
  const double shear = draw(dice, o.shear, 0);
  const double down = draw(dice, o.shift_mm, 0), across = draw(dice, o.shift_mm, 0);
  const double elastic = draw(dice, o.elastic_mm, 0);
  const double period = std::max(1.0, double(dice.between(o.elastic_period_mm.range[0], o.elastic_period_mm.range[1])));
  const double wobble = draw(dice, o.neighbour_shift_mm, 0);
  Warp warp;
  warp.seed = dice.bits() >> 1;
  const auto slices = slab.hu.size(0);
  if (wobble > 0 && slices > 1) {
    for (std::int64_t s = 0; s < slices; ++s) {
      const double angle = dice.between(0, 2 * M_PI);
      const double reach = s == slices / 2 ? 0 : wobble;
      warp.slice_shift.emplace_back(reach * std::sin(angle) / row_mm, reach * std::cos(angle) / column_mm);
    }
  }
  const bool still = turn == 0 && tilt_rows == 0 && tilt_columns == 0 && scale == 1 && stretch == 1 && shear == 0 &&
                     down == 0 && across == 0 && elastic == 0 && warp.slice_shift.empty();
  if (still) return;
  using Eigen::Vector3d;
  // In mm, on (slice, row, column); the inverse, since it says where pixels come from.
  Eigen::Matrix3d bend = Eigen::Matrix3d::Identity();
  bend(1, 2) = shear;
  const Eigen::Matrix3d forward =
      (Eigen::AngleAxisd(turn, Vector3d::UnitX()) * Eigen::AngleAxisd(tilt_rows, Vector3d::UnitY()) *
       Eigen::AngleAxisd(tilt_columns, Vector3d::UnitZ()))
          .toRotationMatrix() *
      bend * Vector3d(1, scale, scale * stretch).asDiagonal();
  const Vector3d mm(gap, row_mm, column_mm);
  warp.matrix = mm.cwiseInverse().asDiagonal() * forward.inverse() * mm.asDiagonal();
  warp.shift = Vector3d(0, -down / row_mm, -across / column_mm);
  warp.elastic_rows = elastic / row_mm;
  warp.elastic_columns = elastic / column_mm;
  warp.elastic_period_rows = period / row_mm;
  warp.elastic_period_columns = period / column_mm;
  resample(slab, warp, std::max(-1024.0F, slab.hu.min().item<float>()));
}

}  // namespace

void augment(Slab& slab, const AugmentOptions& o, std::uint64_t seed) {
  check(slab);
  Dice dice(seed);
  change_neighbours(slab, o, dice);
  const double clip = draw(dice, o.clip_hu, 0);
  if (clip > 0) slab.hu.clamp_(0, clip);
  const float low = slab.hu.min().item<float>(), high = slab.hu.max().item<float>();
  flip(slab, o, dice);
  move(slab, o, dice);

  SlabValues values(slab);
  values.low_resolution(draw(dice, o.low_resolution, 1));
  values.blur(draw(dice, o.blur_mm, 0));
  values.sharpen(draw(dice, o.sharpen, 0));
  values.blend_slices(draw(dice, o.slice_blend, 0));
  const bool clipped = low > -200 && high < 300;
  if (clipped) values.unclip(low, high);
  values.cup(draw(dice, o.cupping_hu, 0));
  const double shading = draw(dice, o.shading_hu, 0);
  values.shade(shading, dice.bits());
  const double gain = draw(dice, o.gain, 1), offset = draw(dice, o.offset_hu, 0);
  const double brain_gain = draw(dice, o.brain_gain, 1), gamma = draw(dice, o.gamma, 1);
  values.tone(gain, offset, brain_gain, gamma);
  const double noise = draw(dice, o.noise_hu, 0), grain = draw(dice, o.noise_grain_mm, 0);
  values.add_noise(noise, grain, dice.bits());
  if (clipped) slab.hu.clamp_(low, high);
}

}  // namespace ichdet::train
