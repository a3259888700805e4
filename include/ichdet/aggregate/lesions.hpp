#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "ichdet/core/array.hpp"
#include "ichdet/core/results.hpp"
#include "ichdet/core/slice_stack.hpp"

namespace ichdet {

struct LesionOptions {
  double min_volume_ml = 0;          ///< smaller pieces are left out
  std::vector<std::uint8_t> labels;  ///< which labels have lesions; empty: all but background (0)
};

/// The 26-connected pieces of each label on the native slices, largest first (equal ones: by label, then by place).
///
/// Volume counts each pixel as its area times its slice's `extents_mm()`, so tilt and variable gaps are right; the
/// centroid is weighted by it. Diameter: the longest distance between two pixel centres in LPS mm, exact, plus one
/// pixel (the geometric mean of the slice's two spacings). Confidence: the mean blood probability, uncalibrated.
/// Pieces of neighbouring slices touch by index, whatever the gap between them.
///
/// `blood_probability` is slice, row, column, on the labels' planes. Throws Error(shape) on another shape and
/// Error(options) where a chosen label is background or has no name.
std::vector<Lesion> lesions(const SliceLabels& labels, const Array3<float>& blood_probability,
                            const LesionOptions& options = {});

/// Volume of each named label but background, pixel area times `extents_mm()` summed over the slices; 0 where a label
/// is not present. Throws Error(shape) where a value has no name.
std::map<std::string, double> volumes_ml(const SliceLabels& labels);

}  // namespace ichdet

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/aggregate/lesions_inl.hpp"
#endif
