#pragma once

#include <cstdint>
#include <vector>

#include "ichdet/core/array.hpp"
#include "ichdet/core/results.hpp"
#include "ichdet/core/slice_stack.hpp"

namespace ichdet {

/// One score for each slice: the mean of its `top_voxels` highest blood probabilities (of all its pixels, where it has
/// fewer). ichdet's own rule, until a bundle brings a calibration: a single bright voxel does not make a slice
/// positive, a small bleed does. Uncalibrated.
///
/// `blood_probability` is slice, row, column on the planes of `slices`, in [0, 1].
/// Throws Error(shape) on another shape, Error(options) if `top_voxels` is below 1 or a value is not in [0, 1].
std::vector<SliceScore> slice_scores(const Array3<float>& blood_probability, const SliceGeometry& slices,
                                     std::int64_t top_voxels = 20);

/// The patient is as positive as the highest slice: positive where its probability is at least `threshold`.
/// Uncalibrated; without slices negative with probability 0.
PatientDecision decide_by_highest_slice(const std::vector<SliceScore>& slices, double threshold = 0.5);

}  // namespace ichdet

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/aggregate/slices_inl.hpp"
#endif
