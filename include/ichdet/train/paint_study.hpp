#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ichdet/core/slice_stack.hpp"
#include "ichdet/train/distractors.hpp"
#include "ichdet/train/synthesis.hpp"

namespace ichdet::train {

struct PaintOptions {
  SynthesisOptions synthesis;  ///< its `labels` are not used: a mask's value is its HemorrhageType
  DistractorOptions distractors;
  int hemorrhages = 1;      ///< how many places are painted; each may get further types
  bool distracted = false;  ///< whether what is bright and not blood is painted beside them
  double extent_mm = 25;    ///< along the slices, of each place: 1 to 7 slices
  std::uint64_t seed = 1;
  int threads = 0;  ///< 0: as many as the machine has
};

struct PaintedStudy {
  SliceStack stack;   ///< the scan, painted
  SliceLabels truth;  ///< HemorrhageType, or 6 where blood hardly stands out
  int painted = 0;    ///< of the hemorrhages that were asked for
};

/// Paints hemorrhages into a whole scan, as training does into slabs of one: a test of known answer on the scans of
/// one's own scanner. What the scan shows of blood is not known to the mask. A pure function of `options.seed`. Throws
/// Error(geometry) where no cranial cavity is found.
PaintedStudy paint_study(const SliceStack& stack, const PaintOptions& options);

}  // namespace ichdet::train
