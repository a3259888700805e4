#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "ichdet/core/config.hpp"
#include "ichdet/core/results.hpp"
#include "ichdet/core/slice_stack.hpp"
#include "ichdet/io/png.hpp"
#include "ichdet/preprocess/window.hpp"
#include "ichdet/report/heat_map.hpp"
#include "ichdet/report/view.hpp"

namespace ichdet {

/// What spoke for a finding on one slice. Arrays are the slice's own (row, column).
struct ExplainedSlice {
  std::int64_t slice = 0;
  double probability = 0;
  Array2f map;                                  ///< any scale: the higher, the more it spoke for it
  std::vector<Array<std::uint8_t, 2>> regions;  ///< the map's top, 1 inside, one for each of `areas`
  std::string note = {};                        ///< a few words below the slice
};

struct ExplanationOptions {
  std::string method = "XRAI", target = "blood";
  std::vector<std::string> details;             ///< lines for the panel: how the map was made
  std::vector<double> areas{0.05, 0.10, 0.20};  ///< share of the network's image that each of `regions` covers
  std::vector<BundleIdentity> bundles;
  Window window{0, 80};
  /// Of each map: 0 is the scale's lower end, this percentile of its values the upper one, or, where that is not above
  /// 0, its maximum.
  double top_percentile = 99.5;
  std::int64_t tile_px = 230;
};

/// Slices in rows: the scan, its map as colours, and what is left of it where all but the map's top is darkened. With
/// `reference` the labels' outlines are drawn too, to compare with.
///
/// RGB; the same input gives the same bytes. Throws Error(shape) for arrays of another size than the slices, or another
/// number of regions than areas, Error(options) where there is no slice or none such.
Image render_explanation(const SliceStack& stack, std::span<const ExplainedSlice> slices,
                         const ExplanationOptions& options = {},
                         const std::optional<SliceLabels>& reference = std::nullopt);

}  // namespace ichdet

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/report/explanation_inl.hpp"
#endif
