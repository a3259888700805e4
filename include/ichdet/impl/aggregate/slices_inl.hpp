#pragma once

#include <algorithm>
#include <cstdio>
#include <functional>

#include "ichdet/aggregate/slices.hpp"
#include "ichdet/core/error.hpp"
#include "ichdet/core/volume.hpp"

namespace ichdet {

ICHDET_INLINE std::vector<SliceScore> slice_scores(const Array3<float>& blood_probability, const SliceGeometry& slices,
                                                   std::int64_t top_voxels) {
  check_shape("blood probability", slices.shape(), blood_probability.shape());
  if (top_voxels < 1) {
    throw Error::mismatch(ErrorCode::options, "top_voxels", "at least 1", std::to_string(top_voxels));
  }
  std::vector<SliceScore> scores;
  scores.reserve(std::size_t(slices.count()));
  std::vector<float> values;
  for (std::int64_t k = 0; k < slices.count(); ++k) {
    const auto plane = blood_probability.plane(k);
    for (const float value : plane) {
      if (!(value >= 0 && value <= 1.001f)) {
        throw Error::mismatch(ErrorCode::options, "blood probability, slice " + std::to_string(k), "values in [0, 1]",
                              std::to_string(value));
      }
    }
    values.assign(plane.begin(), plane.end());
    const auto top = std::min<std::int64_t>(top_voxels, std::int64_t(values.size()));
    std::partial_sort(values.begin(), values.begin() + top, values.end(), std::greater<>());
    double sum = 0;
    for (std::int64_t i = 0; i < top; ++i) sum += values[std::size_t(i)];
    const auto& slice = slices.planes()[std::size_t(k)];
    const auto centre = slice.to_lps(double(slices.rows() - 1) / 2, double(slices.columns() - 1) / 2);
    scores.push_back({k, centre.z(), std::min(sum / double(top), 1.0), slice.sop_instance_uid});
  }
  return scores;
}

ICHDET_INLINE PatientDecision decide_by_highest_slice(const std::vector<SliceScore>& slices, double threshold) {
  PatientDecision decision;
  for (const auto& slice : slices) decision.probability = std::max(decision.probability, slice.probability);
  decision.positive = !slices.empty() && decision.probability >= threshold;
  char text[64];
  std::snprintf(text, sizeof text, "highest slice probability >= %g", threshold);
  decision.rule = text;
  decision.threshold = threshold;
  return decision;
}

}  // namespace ichdet
