#pragma once

#include <Eigen/Core>

#include "ichdet/core/geometry.hpp"
#include "ichdet/core/slice_stack.hpp"

namespace ichdet {

/// The regular grid on which a segmenter reads a stack: axes along the slices' own rows, columns and normal, turned and
/// flipped so that x, y, z run nearest to +L, +P, +S, with `spacing_mm` in that order.
///
/// On a straight stack of equal steps this is the grid of blast-ct 2.1.0 (nifti/rescale.py): the first voxel keeps its
/// centre and the size is round((n - 1) · old / new + 1). A tilted or variably spaced stack gets the smallest such grid
/// that covers every slice. A single slice is as thick as it says: its grid has round(thickness / spacing) layers, at
/// least one, centred on it. Throws Error(limit) beyond 2^31 voxels.
Geometry segmentation_grid(const SliceGeometry& slices, const Eigen::Vector3d& spacing_mm);

}  // namespace ichdet

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/preprocess/grid_inl.hpp"
#endif
