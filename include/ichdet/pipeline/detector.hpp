#pragma once

#include <optional>
#include <vector>

#include "ichdet/aggregate/review.hpp"
#include "ichdet/core/progress.hpp"
#include "ichdet/core/results.hpp"
#include "ichdet/core/slice_stack.hpp"
#include "ichdet/core/volume.hpp"
#include "ichdet/ensemble/slice_rule.hpp"
#include "ichdet/pipeline/segmenter.hpp"

namespace ichdet {

struct DetectorOptions {
  /// A study is positive from this probability on, in (0, 1); none: the bundle's `thresholds.study`, else 0.5.
  std::optional<double> decision_threshold = {};
  double min_lesion_ml = 0.1;  ///< smaller pieces of blood are not listed as lesions; their volume still counts
  int top_voxels = 20;         ///< slice probability: mean over this many highest blood probabilities
  ReviewRange review;          ///< a study's probability in it is flagged for review
  int threads = 0;             ///< 0: as many as the machine has
};

/// What a study showed: the findings, and where they are.
struct Detection {
  StudyResult result;
  SliceLabels labels;    ///< on the stack's own slices
  LabelMap grid_labels;  ///< on the regular grid that the segmenter read, or, of slices alone, on theirs
  /// Of an ensemble, what its members said about each slice, from which a SliceRule is fitted; else empty.
  std::vector<ensemble::SliceEvidence> evidence = {};
};

/// A segmentation bundle, or an ensemble of them, applied to studies. Load once, apply to many.
///
/// Resamples the stack to the bundle's spacing (segmentation_grid), segments, takes each voxel's likeliest class, and
/// brings labels (nearest) and blood probability (linear) back to the native slices, or, where the bundle inverts
/// probabilities, these (linear) before the class is taken. There lesions, slice scores and volumes are measured;
/// volumes of unevenly spaced slices are measured on the grid, since small pieces between far slices would be missed or
/// overstated. Slice probability is the mean of the `top_voxels` highest blood probabilities of the slice, study
/// probability the highest slice's, lesion confidence the mean over its voxels; where the bundle (of an ensemble, the
/// first) brings a calibration of one of them, it is applied. `trust` is refused where the scan's HU end below a window
/// of the model: clipped bone then looks like blood.
///
/// Immutable; a call is const and may run from several threads at once.
class Detector {
 public:
  /// Throws Error(options) where an option is out of its range.
  explicit Detector(Segmenter segmenter, DetectorOptions options = {});

  /// Throws what reading the stack's geometry or the network may throw; Error(cancelled) on request.
  Detection operator()(const SliceStack& stack, const Progress& progress = {}) const;

 private:
  Segmenter segmenter_;
  DetectorOptions options_;
};

}  // namespace ichdet
