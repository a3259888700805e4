#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "ichdet/attribution/region_masks.hpp"

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
/// Those of an image with one value are the whole image, once for each scale. Where the image is smaller than
/// `side` by `side`, some may be empty.
///
/// Equal to saliency's, but for Felzenszwalb's ties, and those that only rounding tells apart: columns next to a flat
/// border in float64 (docs/attribution.md).
///
/// Throws Error(shape) as felzenszwalb does, Error(options) for a range or a number that is not as said above.
RegionMasks xrai_segments(const at::Tensor& image, const XraiSegmentOptions& options = {});

}  // namespace ichdet::attribution
