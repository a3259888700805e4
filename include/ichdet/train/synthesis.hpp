#pragma once

#include <array>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "ichdet/core/array.hpp"
#include "ichdet/core/slice_stack.hpp"
#include "ichdet/phantom/anatomy.hpp"
#include "ichdet/phantom/hemorrhage.hpp"

namespace ichdet::train {

/// Settings of `synthesise`.
struct SynthesisOptions {
  /// How often a slab's main hemorrhage is of each type, in the order of HemorrhageType; relative.
  std::array<double, 5> type_weights{1, 1.8, 1.6, 1, 1.4};
  double further_type = 0.3;                          ///< chance of a second type; of a third after that, the same
  std::array<std::uint8_t, 5> labels{1, 1, 1, 1, 1};  ///< mask value of each type
  std::uint8_t oedema_label = 0;                      ///< mask value of the dark rim around intraparenchymal blood
  double least_area_mm2 = 12;  ///< a lesion that shows less than this in each slice is not painted at all
};

/// What was painted. Types in the order of HemorrhageType.
struct Synthesised {
  /// Labelled pixels in each slice, of each type.
  std::vector<std::array<std::int64_t, 5>> pixels;
  bool any() const;
  bool shows(HemorrhageType type) const;  ///< in any slice
};

/// Paints hemorrhages of random types, sizes, ages and places into a slab of 1 to 7 or so slices, and marks them in
/// `mask` ((slice, row, column), what is there is kept elsewhere).
///
/// Works on full-range scans and on those clipped to 0..80 HU or the like, which stay clipped. A pixel is labelled
/// where at least half of it is blood that stands out from what was there; it becomes `unknown_label` where blood is
/// there but hardly stands out. Nothing outside the cranial cavity is changed. Where a type finds no room (no
/// ventricle, say), another is drawn; a slab without cavity is left as it is.
///
/// A pure function of `seed`. Throws Error(shape) where the arrays' shapes differ.
Synthesised synthesise(SliceStack& slab, Array3<std::uint8_t>& mask, const HeadAnatomy& anatomy,
                       const SynthesisOptions& options, std::uint64_t seed);

/// From an object with the keys "intraparenchymal", ... "subarachnoid" (weights), "further_type", "least_area_mm2".
/// Throws Error(weights) for an unknown key or a negative number.
SynthesisOptions synthesis_options(const nlohmann::json& object, const std::string& subject);

}  // namespace ichdet::train
