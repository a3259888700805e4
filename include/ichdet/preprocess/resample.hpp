#pragma once

#include <cstdint>
#include <optional>

#include "ichdet/core/array.hpp"
#include "ichdet/core/config.hpp"
#include "ichdet/core/geometry.hpp"
#include "ichdet/core/slice_stack.hpp"
#include "ichdet/core/volume.hpp"

namespace ichdet {

enum class Interpolation { linear, nearest };

struct ResampleOptions {
  Interpolation interpolation = Interpolation::linear;
  /// What a point outside the source becomes. By default -1024 HU; for plain arrays 0; for probabilities class 0.
  std::optional<float> outside = {};
  int threads = 0;  ///< 0: as many as the machine has. Does not change any bit.
};

/// Note [Resampling]
///
/// The value of every target voxel is read from the source at the voxel's LPS position. Source and target may lie in
/// any direction. Nothing is smoothed: a coarser target samples the source.
///
/// A Volume is read in its own index space, as ITK does: linear between the eight voxels around, nearest with halves
/// rounded upwards. A point is inside while each index is in [-0.5, n - 0.5); beyond the outermost centres values are
/// clamped. Within 1e-6 of a voxel a limit or a half counts as reached, so that noise in the last digits of an affine
/// decides nothing. Agrees with SimpleITK's Resample on float images within 1e-3 HU.
///
/// A SliceStack is read plane by plane: the point is projected along the common normal onto the two planes around it,
/// read in each, and the two values are weighted by distance. That is exact for any linear function of space, with
/// tilt and variable gaps as they are. Beyond the first and last plane values are repeated up to half that slice's
/// extent (SliceGeometry::extents_mm); a single slice is so repeated over its thickness. Padded pixels take no part:
/// the remaining weights are scaled to 1, and where none remains the point is outside.
///
/// All throw Error(geometry) where both sides name a frame of reference and they differ.

Volume resample_to(const SliceStack& stack, const Geometry& to, const ResampleOptions& options = {});
Volume resample_to(const Volume& volume, const Geometry& to, const ResampleOptions& options = {});
SliceStack resample_to(const Volume& volume, const SliceGeometry& to, const ResampleOptions& options = {});

/// Any values on the grid `from` (z, y, x).
Array3<float> resample_to(const Array3<float>& values, const Geometry& from, const Geometry& to,
                          const ResampleOptions& options = {});
/// Back to native slices: (slice, row, column).
Array3<float> resample_to(const Array3<float>& values, const Geometry& from, const SliceGeometry& to,
                          const ResampleOptions& options = {});

/// Class by class; outside, class 0 is certain unless `outside` is set (then every class becomes that).
ProbabilityMap resample_to(const ProbabilityMap& probabilities, const Geometry& to,
                           const ResampleOptions& options = {});
/// Back to native slices: (class, slice, row, column).
Array4<float> resample_to(const ProbabilityMap& probabilities, const SliceGeometry& to,
                          const ResampleOptions& options = {});

/// Nearest neighbour; background outside.
LabelMap resample_to(const LabelMap& labels, const Geometry& to, int threads = 0);
SliceLabels resample_to(const LabelMap& labels, const SliceGeometry& to, int threads = 0);
LabelMap resample_to(const SliceLabels& labels, const Geometry& to, int threads = 0);

}  // namespace ichdet

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/preprocess/resample_inl.hpp"
#endif
