#pragma once

#include <optional>

#include "canvas.hpp"
#include "ichdet/phantom/hemorrhage.hpp"

namespace ichdet::train {

/// One hemorrhage, ready to be laid on a canvas.
struct Stroke {
  HemorrhageType type = HemorrhageType::intraparenchymal;
  Array3<float> part;      ///< of each pixel that is blood, 0 to 1
  Array3<float> hu;        ///< of that blood
  Array3<float> oedema;    ///< by how many HU swollen tissue around it is darker; empty: none
  Array3<float> distance;  ///< mm to its surface, negative inside; empty where it pushes nothing aside
};

/// How dense blood is, and how that varies in it. Drawn once for each hemorrhage.
class Blood {
 public:
  /// `type` says what is usual.
  Blood(HemorrhageType type, const Canvas& canvas, Dice& dice);
  float operator()(std::int64_t s, std::int64_t r, std::int64_t c) const;
  std::uint64_t seed() const { return seed_; }

 private:
  const Canvas& canvas_;
  std::uint64_t seed_;
  float density_hu_, texture_hu_, texture_mm_;
  float pocket_hu_ = 0, pocket_mm_ = 12;   ///< how much darker pockets are, and their period
  float level_y_ = 0, level_drop_hu_ = 0;  ///< in front of a level (head coordinates), how much darker
  float level_width_ = 1;
};

/// Pushes brain, and what is marked in it, away from the skull by as much as extra-axial blood is thick, less with
/// distance.
void push_aside(Canvas& canvas, Array3<std::uint8_t>& mask, const Stroke& stroke);

/// Each draws one of its kind; nothing where it finds no room in this slab.
std::optional<Stroke> draw_intraparenchymal(const Canvas& canvas, Dice& dice);
std::optional<Stroke> draw_intraventricular(const Canvas& canvas, Dice& dice);
std::optional<Stroke> draw_subdural(const Canvas& canvas, Dice& dice);
std::optional<Stroke> draw_epidural(const Canvas& canvas, Dice& dice);
std::optional<Stroke> draw_subarachnoid(const Canvas& canvas, Dice& dice);

/// A pixel of the cavity drawn evenly among those for which `fits(s, r, c)`; nothing where 60 draws found none.
template <class Fits>
std::optional<std::array<std::int64_t, 3>> draw_pixel(const Canvas& v, Dice& dice, Fits&& fits) {
  for (int i = 0; i < 60; ++i) {
    const std::array<std::int64_t, 3> at{dice.below(int(v.slices)), v.box[0] + dice.below(int(v.box[1] - v.box[0] + 1)),
                                         v.box[2] + dice.below(int(v.box[3] - v.box[2] + 1))};
    if (v.depth(at[0], at[1], at[2]) > 0 && fits(at[0], at[1], at[2])) return at;
  }
  return std::nullopt;
}

}  // namespace ichdet::train
