#pragma once

#include <cstdint>
#include <vector>

#include "ichdet/core/config.hpp"
#include "ichdet/evaluate/overlap.hpp"

namespace ichdet::evaluate {

struct LesionMatchOptions {
  double min_overlap = 0;       ///< the part of a lesion that must be covered, in [0, 1]; 0: any voxel of it will do
  std::int64_t min_voxels = 1;  ///< smaller pieces of the prediction are passed over; the truth's are all kept
};

/// A connected piece of one mask against the whole of the other.
struct MatchedLesion {
  std::int64_t voxels = 0;
  std::int64_t covered = 0;  ///< of them also in the other mask
  bool matched = false;      ///< covered by at least one voxel and `min_overlap` of it
  double score = 0;  ///< of a predicted piece its highest probability; of a matched true one that of the best piece
                     ///< that touches it, else 0
};

/// Lesion by lesion: 26-connected pieces in the order of their first voxels.
struct LesionMatch {
  std::vector<MatchedLesion> truth, predicted;

  /// Lesions found, of the true ones. NaN without any.
  Proportion sensitivity() const noexcept;
  /// Predicted pieces that are lesions, of the predicted ones. NaN without any.
  Proportion precision() const noexcept;
};

/// `probability` (z, y, x) scores the pieces; where it is empty each scores 1.
/// Throws Error(shape) where shapes differ, Error(options) where options are out of range.
LesionMatch match_lesions(const Mask& predicted, const Mask& truth, const Array3<float>& probability = {},
                          const LesionMatchOptions& options = {});

/// Free-response ROC: sensitivity to lesions against false positives per image, from (0, 0) on, thresholds descending.
struct FrocCurve {
  std::vector<double> false_positives_per_image, sensitivity, thresholds;
};

/// Of all images together. A point for each score above 0, the lowest too (MONAI leaves that one out, which is the 0 of
/// missed lesions where there are any); sensitivity is NaN without lesions. Throws Error(options) without images.
FrocCurve froc(const std::vector<LesionMatch>& images);

/// The mean sensitivity at these rates, interpolated linearly and held constant beyond the curve's end, as in
/// CAMELYON16.
double froc_score(const FrocCurve& curve, const std::vector<double>& rates = {0.25, 0.5, 1, 2, 4, 8});

}  // namespace ichdet::evaluate

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/evaluate/lesion_match_inl.hpp"
#endif
