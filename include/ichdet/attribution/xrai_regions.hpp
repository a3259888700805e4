#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "ichdet/attribution/region_masks.hpp"

namespace ichdet::attribution {

enum class XraiAlgorithm {
  full,  ///< the region next in order has the highest mean attribution over its pixels in no region before it
  fast,  ///< by the mean over all its pixels
};

/// full, fast. Throws Error(options).
XraiAlgorithm parse_xrai_algorithm(const std::string& text);
std::string to_string(XraiAlgorithm algorithm);

struct XraiRegionOptions {
  XraiAlgorithm algorithm = XraiAlgorithm::full;
  double area_threshold = 1;         ///< full: no further regions once more than this share of the image is in one
  std::int64_t min_pixel_diff = 50;  ///< a region that would add fewer pixels is left out; 1 or more
};

/// Disjoint regions of one image, most important first. Pixels that no region reached are the last of them.
struct XraiRegions {
  at::Tensor heat_map;              ///< (y, x), float64: its region's gain
  at::Tensor ranks;                 ///< (y, x), int64: its region's place in the order, from 1
  std::vector<double> gains;        ///< of each region: the mean attribution of its pixels
  std::vector<std::int64_t> areas;  ///< of each region, pixels
};

/// Of an attribution (y, x), float32 or float64, and masks of its size. Sums are rounded as NumPy rounds them in the
/// attribution's type, so that order, areas and heat map equal saliency's.
///
/// Throws Error(shape) for another type or size, or values that are not finite; Error(options) for numbers out of
/// range.
XraiRegions xrai_regions(const at::Tensor& attribution, const RegionMasks& masks,
                         const XraiRegionOptions& options = {});

/// The pixels, bool (y, x), of the fewest regions from the first on that make up `share` (0 to 1) of the image's area
/// or more.
at::Tensor top_regions(const XraiRegions& regions, double share);

}  // namespace ichdet::attribution
