#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "ichdet/attribution/region_masks.hpp"

/// XRAI: regions of an image in the order of the attribution that their pixels hold, after Kapishnikov et al., "XRAI:
/// Better Attributions Through Regions" (arXiv:1906.02825), as PAIR's saliency 0.2.1 computes it.
namespace ichdet::attribution {

struct XraiSegmentOptions {
  std::vector<double> scales{50, 100, 150, 250, 500, 1200};  ///< Felzenszwalb's, a segmentation for each
  double sigma = 0.8;                                        ///< Felzenszwalb's, pixels
  std::int64_t min_size = 150;                               ///< Felzenszwalb's, pixels
  double low = -1, high = 1;  ///< what the image's least and highest value are segmented as; low < high, 0 between them
  std::int64_t side = 224;    ///< the image is segmented as a square of this side; 0: in its own size
  std::int64_t dilation = 5;  ///< pixels that every segment is grown by
};

/// The segments of an image (y, x) or (channel, y, x), float32 or float64, at all scales, each grown over its border.
/// Those of an image with one value are the whole image, once for each scale. Of an image shrunk to less than `side`
/// by `side` some are empty.
///
/// Equal to saliency's for Felzenszwalb's edges without ties (felzenszwalb.hpp); resized within 1e-12 of scikit-image.
///
/// Throws Error(shape) as felzenszwalb does, Error(options) for a range or a number that is not as said above.
RegionMasks xrai_segments(const at::Tensor& image, const XraiSegmentOptions& options = {});

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
/// Throws Error(shape) for another type or size, or values that are not finite; Error(options) for numbers out of range.
XraiRegions xrai_regions(const at::Tensor& attribution, const RegionMasks& masks,
                         const XraiRegionOptions& options = {});

/// The pixels, bool (y, x), of the fewest regions from the first on that make up `share` (0 to 1) of the image's area or
/// more.
at::Tensor top_regions(const XraiRegions& regions, double share);

}  // namespace ichdet::attribution
