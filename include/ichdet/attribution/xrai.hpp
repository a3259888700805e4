#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "ichdet/attribution/integrated_gradients.hpp"
#include "ichdet/attribution/xrai_regions.hpp"
#include "ichdet/attribution/xrai_segments.hpp"

namespace ichdet::attribution {

struct XraiOptions {
  IntegratedGradientsOptions path;
  std::vector<at::Tensor> baselines;  ///< of shapes that broadcast to the input's; none: black and white
  XraiSegmentOptions segments;
  XraiRegionOptions regions;
};

struct Xrai {
  at::Tensor attribution;                  ///< (image, y, x): what the regions are ordered by
  std::vector<XraiRegions> regions;        ///< each image's
  std::vector<Completeness> completeness;  ///< each baseline's, where `path` asks for it
};

/// Regions of each image of an input (image, channel, y, x) in the order of what they contribute to its score:
/// Kapishnikov et al., "XRAI: Better Attributions Through Regions" (arXiv:1906.02825). Integrated gradients, their mean
/// over the baselines and of that the highest over channels, are summed up over the segments of the image.
///
/// Equals the Python package saliency 0.2.1 with its defaults, as far as integrated gradients do, and segments (see
/// xrai_segments.hpp).
///
/// Throws Error(shape) for a volume, whose regions it does not know how to find, and as its parts do.
Xrai xrai(const Explained& explained, const at::Tensor& input, const XraiOptions& options = {},
          const Progress& progress = {});

/// The attribution (image, y, x) that XRAI makes of path attributions (image, channel, y, x), one for each baseline.
at::Tensor xrai_attribution(const std::vector<at::Tensor>& of_baselines);

}  // namespace ichdet::attribution
