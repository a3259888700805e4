#pragma once

#include <Eigen/Core>
#include <vector>

#include "ichdet/core/config.hpp"
#include "ichdet/evaluate/overlap.hpp"

namespace ichdet::evaluate {

/// From each surface voxel of one mask to the nearest surface voxel of the other, in mm, in raster order. All are
/// infinite where the other mask is empty.
struct SurfaceDistances {
  std::vector<double> from_predicted_mm, from_truth_mm;
};

/// Exact Euclidean distances between voxel centres. The surface is what erosion with the six face neighbours takes
/// away; the array's border counts as outside (MONAI's conventions, without subvoxels). `spacing_mm` is x, y, z; the
/// masks are z, y, x on a regular grid. Throws Error(shape) where the shapes differ, Error(options) unless the spacing
/// is above 0.
SurfaceDistances surface_distances(const Mask& predicted, const Mask& truth, const Eigen::Vector3d& spacing_mm);

/// The larger of the two directed `percentile`s (interpolated linearly): HD95, or with 100 the Hausdorff distance.
/// Infinite where one mask is empty (MONAI: with percentiles NaN), NaN where both are. Throws Error(options) unless
/// percentile is in [0, 100].
double hausdorff_mm(const SurfaceDistances& distances, double percentile = 95);

/// The part of both surfaces, by voxels, that lies within `tolerance_mm` of the other (normalised surface distance).
/// 0 where one mask is empty, NaN where both are. Throws Error(options) where the tolerance is negative or NaN.
double surface_dice(const SurfaceDistances& distances, double tolerance_mm);

/// Mean over the voxels of both surfaces. Infinite where one mask is empty, NaN where both are.
double mean_surface_distance_mm(const SurfaceDistances& distances);

}  // namespace ichdet::evaluate

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/evaluate/surface_inl.hpp"
#endif
