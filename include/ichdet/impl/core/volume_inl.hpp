#pragma once

#include "ichdet/core/error.hpp"
#include "ichdet/core/volume.hpp"

namespace ichdet {

ICHDET_INLINE void check_shape(const std::string& subject, const std::array<std::int64_t, 3>& expected,
                               const std::array<std::int64_t, 3>& found) {
  if (expected == found) return;
  const auto text = [](const std::array<std::int64_t, 3>& s) {
    return std::to_string(s[0]) + " x " + std::to_string(s[1]) + " x " + std::to_string(s[2]) + " (z, y, x)";
  };
  throw Error::mismatch(ErrorCode::shape, subject, text(expected), text(found));
}

ICHDET_INLINE Volume::Volume(Array3<float> hu_zyx, Geometry grid) : hu(std::move(hu_zyx)), geometry(std::move(grid)) {
  check_shape("volume", geometry.shape(), hu.shape());
}

ICHDET_INLINE ProbabilityMap::ProbabilityMap(Array4<float> values_czyx, std::vector<std::string> class_names,
                                             Geometry grid)
    : values(std::move(values_czyx)), classes(std::move(class_names)), geometry(std::move(grid)) {
  const auto& s = values.shape();
  check_shape("probability map", geometry.shape(), {s[1], s[2], s[3]});
  if (s[0] != std::int64_t(classes.size())) {
    throw Error::mismatch(ErrorCode::shape, "probability map", std::to_string(classes.size()) + " classes",
                          std::to_string(s[0]));
  }
}

ICHDET_INLINE LabelMap::LabelMap(Array3<std::uint8_t> labels_zyx, std::vector<std::string> label_names, Geometry grid)
    : labels(std::move(labels_zyx)), names(std::move(label_names)), geometry(std::move(grid)) {
  check_shape("label map", geometry.shape(), labels.shape());
}

ICHDET_INLINE LabelMap argmax(const ProbabilityMap& probabilities) {
  LabelMap result(Array3<std::uint8_t>(probabilities.geometry.shape()), probabilities.classes, probabilities.geometry);
  const auto voxels = result.labels.size();
  std::vector<float> best(probabilities.values.plane(0).begin(), probabilities.values.plane(0).end());
  for (std::int64_t c = 1; c < probabilities.values.extent(0); ++c) {
    const auto candidate = probabilities.values.plane(c);
    for (std::int64_t i = 0; i < voxels; ++i) {
      if (candidate[i] > best[i]) {
        best[i] = candidate[i];
        result.labels.data()[i] = std::uint8_t(c);
      }
    }
  }
  return result;
}

}  // namespace ichdet
