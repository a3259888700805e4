#pragma once

#include <cstdint>
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

/// Where a network looked on one slice.
struct SliceMap {
  std::int64_t slice = 0;
  Array2f values;         ///< the slice's own (row, column), in [0, 1]; empty: none was made
  std::string note = {};  ///< a few words for its corner in place of the slice's probability
};

struct ClassificationOptions {
  Window window{0, 80};
  HeatMapOptions heat_map;
  std::string map_name = "Grad-CAM";  ///< what the colours are
  std::int64_t tile_px = 250;         ///< width of a slice
};

/// A classifier's result as one picture: each slice's probability along z with the threshold, positive slices marked;
/// below, the slices of `maps` in their order, each under its map; beside them the decision, the rule, reasons for
/// review, the model, and "not for clinical use". Where slices have no probabilities of their own, those of the study's
/// classes take the plot's place.
///
/// RGB; the same input gives the same bytes. Throws Error(shape) where a map is not of the slices' size, Error(options)
/// where there is no such slice.
Image render_classification(const SliceStack& stack, const StudyResult& result, std::span<const SliceMap> maps,
                            const ClassificationOptions& options = {});

/// Which slices to show, in the stack's order: the positive ones, at most `most`, the likeliest first chosen; where
/// none is positive, the three likeliest of those that were computed.
std::vector<std::int64_t> slices_to_show(const StudyResult& result, std::int64_t most);

/// One line per slice: index, z_mm, probability, positive, computed, then each class, then sop_instance_uid. RFC 4180.
std::string slice_table(const StudyResult& result);

}  // namespace ichdet

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/report/classification_inl.hpp"
#endif
