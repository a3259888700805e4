#pragma once

#include "canvas.hpp"

/// What looks like blood, or unlike brain, and is not blood. Each draws one and lays it on the canvas; `keep` is where
/// values must stay (may be empty).
namespace ichdet::train::falls {

using Keep = Array3<std::uint8_t>;

void pineal(Canvas& v, const Keep& keep, Dice& dice);
void choroid_plexus(Canvas& v, const Keep& keep, Dice& dice);
void basal_ganglia(Canvas& v, const Keep& keep, Dice& dice);
void nodules(Canvas& v, const Keep& keep, Dice& dice);

void falx(Canvas& v, const Keep& keep, Dice& dice);
void tentorium(Canvas& v, const Keep& keep, Dice& dice);
void sinuses(Canvas& v, const Keep& keep, Dice& dice);
void arteries(Canvas& v, const Keep& keep, Dice& dice);

void inner_table(Canvas& v, const Keep& keep, Dice& dice);
void bone_partial(Canvas& v, const Keep& keep, Dice& dice);
void infarct(Canvas& v, const Keep& keep, Dice& dice);
void hygroma(Canvas& v, const Keep& keep, Dice& dice);
void scalp(Canvas& v, const Keep& keep, Dice& dice);

void bands(Canvas& v, const Keep& keep, Dice& dice);
void streaks(Canvas& v, const Keep& keep, Dice& dice);
void motion(Canvas& v, const Keep& keep, Dice& dice);
void bright_rim(Canvas& v, const Keep& keep, Dice& dice);
void bright_side(Canvas& v, const Keep& keep, Dice& dice);
void bright_cortex(Canvas& v, const Keep& keep, Dice& dice);

/// Moves a pixel `part` of the way to `hu`, its noise kept. Values stay in the scan's range.
inline void put(Canvas& v, const Keep& keep, std::int64_t s, std::int64_t r, std::int64_t c, float part, float hu) {
  if (part <= 0.01F || (!keep.empty() && keep(s, r, c) != 0)) return;
  float& value = v.stack.hu(s, r, c);
  if (value < -60) return;
  const float change = part * (hu - v.smooth(s, r, c));
  value = std::clamp(value + change, v.low_hu, v.high_hu);
  v.smooth(s, r, c) += change;  // what is painted next finds this one there
}

/// Raises a pixel that is neither air nor, in a clipped scan, at an end of its range.
inline void raise(Canvas& v, std::int64_t s, std::int64_t r, std::int64_t c, float hu) {
  float& value = v.stack.hu(s, r, c);
  if (v.clipped && (value <= v.low_hu || value >= v.high_hu)) return;
  if (value > -150) value = std::clamp(value + hu, v.low_hu, v.high_hu);
}

}  // namespace ichdet::train::falls
