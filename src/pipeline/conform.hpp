#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ichdet/core/volume.hpp"

// What brainchop makes of a head scan before MindGrab sees it, as brainchop-cli 0.1.24 does with niimath's -h2c and
// -conform.
namespace ichdet::pipeline {

/// 256 x 256 x 256 voxels of 1 mm whose x, y, z run to L, I, A, around `grid`'s middle (index size / 2).
Geometry conformed_grid(const Geometry& grid);

/// Hounsfield to Cormack units, in place: at least -1024, from the lowest value on, and the 200 units from 900 above it
/// stretched tenfold. False, and nothing is changed, where no value is below -500 or none is 100 or more: such a scan
/// is not in HU.
bool to_cormack(Array3<float>& hu);

/// From the lowest value to that of 98 % of those that are not 0, linearly to 0 to 255 and clipped, in place; in bins
/// of a thousandth of the range. Throws Error(shape) where all values are equal.
void to_robust_range(Array3<float>& values);

/// Whole numbers from 0 to 255 between their 2 % and 98 % quantiles (NumPy's, linear), clipped to [0, 1].
Array3<float> between_quantiles(const Array3<float>& levels);

/// All of this. Sentences about what was done or found go to `assumptions`.
Array3<float> conform(const Volume& volume, const Geometry& grid, int threads, std::vector<std::string>& assumptions);

}  // namespace ichdet::pipeline
