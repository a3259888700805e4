#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "ichdet/core/config.hpp"
#include "ichdet/evaluate/overlap.hpp"

namespace ichdet::evaluate {

/// What a model said about a slice, beside the truth.
struct SliceOutcome {
  double probability = undefined;  ///< that it shows blood, in [0, 1]; NaN: not asked
  std::optional<bool> blood;       ///< the truth, where it is known
  double largest_lesion_ml = 0;    ///< largest piece of the model's mask on this slice alone (8-connected)
};

/// What a model said about a study, beside the truth: all that its figures need, without voxels.
struct StudyOutcome {
  std::string study, patient;
  double probability = undefined;  ///< of the study; NaN: none was given
  std::optional<bool> label;       ///< the truth of the study as a whole, where it is known apart from its slices
  std::vector<SliceOutcome> slices;
  std::map<std::string, std::vector<std::uint8_t>> types;  ///< blood type -> 1 for each slice that shows it, else 0
  std::optional<Overlap> overlap;                          ///< of the masks, where a true one is known
  double predicted_ml = undefined, truth_ml = undefined;

  /// Whether some slice shows blood, else what the study's own label says; none where neither is known.
  std::optional<bool> blood() const;
};

/// Fills in what comes from masks (slice, row, column; anything but 0 is blood): overlap, volumes, the slices' largest
/// lesions, and, of slices whose truth is not known yet, whether they show blood. `pixel_ml`: a pixel's area times its
/// slice's extent, for each slice. `truth` may be empty: none is known. Makes the slices where there are none.
/// Throws Error(shape) where the shapes differ.
void add_masks(StudyOutcome& outcome, const Mask& predicted, const Mask& truth, std::span<const double> pixel_ml);

}  // namespace ichdet::evaluate

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/evaluate/outcome_inl.hpp"
#endif
