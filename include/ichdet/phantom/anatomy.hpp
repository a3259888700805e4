#pragma once

#include <Eigen/Geometry>
#include <cstdint>
#include <string>
#include <vector>

#include "ichdet/core/array.hpp"
#include "ichdet/core/progress.hpp"
#include "ichdet/core/slice_stack.hpp"

namespace ichdet {

/// What a painter must know of a head, for each pixel of a stack (slice, row, column).
///
/// Made by `make_phantom`, which knows it, or by `anatomy_from_scan`, which derives it from the HU.
struct HeadAnatomy {
  Array3<float> depth_mm;    ///< distance inwards from the inner table; negative outside the cranial cavity
  Array3<float> ventricle;   ///< part of the pixel that is ventricular CSF, in [0, 1]
  Array3<float> csf;         ///< part of the pixel that is CSF of sulci and cisterns, in [0, 1]
  Array3<float> midline_mm;  ///< distance from the mid-sagittal sheet, positive on the patient's left
  /// From head coordinates to LPS mm. Head coordinates: x to the patient's left, y posterior, z superior, in mm of an
  /// average head whose cavity spans +-67, +-83 and, above the origin near the third ventricle's roof, 74 mm.
  Eigen::Affine3d head_to_lps = Eigen::Affine3d::Identity();
  std::vector<std::string> assumptions;  ///< one sentence each
};

/// Settings of `anatomy_from_scan`.
struct AnatomyOptions {
  double bone_hu = 300;            ///< skull above this; where no value exceeds it (clipped scans), the highest value
  double csf_hu = 14;              ///< smoothed HU below this is mostly CSF
  double ventricle_depth_mm = 20;  ///< CSF nearer to the skull than this is never called ventricle
  int threads = 0;                 ///< 0: as many as the machine has
};

/// Derives the anatomy of a real scan: brain = the largest piece of soft tissue with bone around it, after opening;
/// cavity = that closed and filled up to the bone; CSF = dark parts of the smoothed cavity; ventricles = deep and near
/// the midline.
///
/// Distances treat a tilted gantry's slices as stacked along their normal. A stack that covers less than 100 mm is
/// placed by an assumption that it says. Throws Error(geometry) where no cavity is found.
HeadAnatomy anatomy_from_scan(const SliceStack& stack, const AnatomyOptions& options = {},
                              const Progress& progress = {});

/// Height in head coordinates of the tentorium above a point (x, y): what lies below is in the posterior fossa.
/// Meaningful behind the petrous ridges (y > 5).
double tentorium_height_mm(double x, double y) noexcept;

}  // namespace ichdet

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/phantom/anatomy_inl.hpp"
#endif
