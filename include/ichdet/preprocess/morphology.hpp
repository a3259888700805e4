#pragma once

#include <Eigen/Core>
#include <cstdint>

#include "ichdet/core/array.hpp"
#include "ichdet/core/config.hpp"

namespace ichdet {

/// In masks any value but 0 counts as 1; results hold 0 and 1. Spacings are x, y, z in mm; a sheared
/// grid is treated as if its axes were perpendicular. `threads` 0: as many as the machine has; no thread changes a bit.

/// Every voxel whose centre lies within `radius_mm` of the centre of a voxel of the mask: dilation with a ball.
Array3<std::uint8_t> dilate(const Array3<std::uint8_t>& mask, double radius_mm, const Eigen::Vector3d& spacing_mm,
                            int threads = 0);
/// Erosion with a ball. What lies outside the array takes no part: a brain cut off by the first slice is not eaten
/// from there (scipy.ndimage.binary_erosion with border_value=1).
Array3<std::uint8_t> erode(const Array3<std::uint8_t>& mask, double radius_mm, const Eigen::Vector3d& spacing_mm,
                           int threads = 0);
/// Erosion, then dilation: removes what is thinner than the ball.
Array3<std::uint8_t> open_mask(const Array3<std::uint8_t>& mask, double radius_mm, const Eigen::Vector3d& spacing_mm,
                               int threads = 0);
/// Dilation, then erosion: closes gaps narrower than the ball.
Array3<std::uint8_t> close_mask(const Array3<std::uint8_t>& mask, double radius_mm, const Eigen::Vector3d& spacing_mm,
                                int threads = 0);

/// Adds every piece of background that no path over shared faces joins to the array's border, as
/// scipy.ndimage.binary_fill_holes.
Array3<std::uint8_t> fill_holes(const Array3<std::uint8_t>& mask);
/// The same in each slice by itself, over shared edges of pixels.
Array3<std::uint8_t> fill_holes_in_slices(const Array3<std::uint8_t>& mask, int threads = 0);

/// The largest piece over shared faces; the first of two equal ones; empty where the mask is.
Array3<std::uint8_t> largest_piece(const Array3<std::uint8_t>& mask);

/// Gaussian of `sigma_mm`, cut off at 4 sigma, values beyond the border repeated from it: as
/// scipy.ndimage.gaussian_filter(values, sigma_mm / spacing, mode="nearest").
Array3<float> gaussian_smooth(const Array3<float>& values, double sigma_mm, const Eigen::Vector3d& spacing_mm,
                              int threads = 0);

}  // namespace ichdet

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/preprocess/morphology_inl.hpp"
#endif
