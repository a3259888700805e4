#pragma once

#include <cstdint>
#include <vector>

#include "ichdet/core/array.hpp"
#include "ichdet/core/slice_stack.hpp"

/// What the phantom's parts share: separable blur, exact distances, look-up by position. All on (slice, row, column).
namespace ichdet::phantom_detail {

/// Weights of a Gaussian of `sigma` pixels, to 3.5 sigma, summing to 1.
std::vector<float> gaussian_weights(double sigma);

/// Blurs each row and column of one slice, the border repeated. `scratch` is resized as needed.
void blur_slice(std::span<float> pixels, std::int64_t rows, std::int64_t columns, const std::vector<float>& along_row,
                const std::vector<float>& along_column, std::vector<float>& scratch);

/// Distance in mm of each pixel's centre to the nearest pixel whose `mask` is 0, in its slice alone or in the stack
/// (slices stacked along their normal). Felzenszwalb and Huttenlocher 2012, section 2; at most `limit_mm`.
Array3<float> distance_to_outside(const Array3<std::uint8_t>& mask, const SliceGeometry& geometry, bool within_slices,
                                  int threads, float limit_mm = 300);

/// The largest 6-connected piece of `mask`; empty where there is none.
Array3<std::uint8_t> largest_piece(const Array3<std::uint8_t>& mask, const SliceGeometry& geometry);

/// Fractional (slice, row, column) of an LPS position; the slice by offset along the normal, beyond the ends unclamped.
Eigen::Vector3d to_slice_index(const SliceGeometry& geometry, const Eigen::Vector3d& lps_mm);

}  // namespace ichdet::phantom_detail

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/phantom/grid_tools_inl.hpp"
#endif
