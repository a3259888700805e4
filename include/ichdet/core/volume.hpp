#pragma once

#include <string>
#include <utility>
#include <vector>

#include "ichdet/core/array.hpp"
#include "ichdet/core/geometry.hpp"

namespace ichdet {

/// A regular grid of Hounsfield units. `hu` is z, y, x and has `geometry.shape()`; copies share it.
struct Volume {
  Array3<float> hu;
  Geometry geometry;

  /// Throws Error(shape) where the array is not of the geometry's shape.
  Volume(Array3<float> hu_zyx, Geometry grid);
};

/// What a segmenter gives: one probability per class and voxel.
struct ProbabilityMap {
  Array4<float> values;              ///< class, z, y, x; each voxel's classes sum to 1
  std::vector<std::string> classes;  ///< their names, class 0 being background
  Geometry geometry;

  ProbabilityMap(Array4<float> values_czyx, std::vector<std::string> class_names, Geometry grid);
};

/// One small integer per voxel of a grid; `names[label]` says what it means, `names[0]` being background.
struct LabelMap {
  Array3<std::uint8_t> labels;  ///< z, y, x
  std::vector<std::string> names;
  Geometry geometry;

  LabelMap(Array3<std::uint8_t> labels_zyx, std::vector<std::string> label_names, Geometry grid);
};

/// The class with the highest probability at each voxel; the lower class where two are equal.
LabelMap argmax(const ProbabilityMap& probabilities);

/// Throws Error(shape), naming `subject`, unless `found` equals `expected`.
void check_shape(const std::string& subject, const std::array<std::int64_t, 3>& expected,
                 const std::array<std::int64_t, 3>& found);

}  // namespace ichdet

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/core/volume_inl.hpp"
#endif
