#pragma once

#include <cstdint>
#include <vector>

#include "ichdet/core/config.hpp"
#include "ichdet/core/results.hpp"
#include "ichdet/core/slice_stack.hpp"
#include "ichdet/io/png.hpp"
#include "ichdet/report/draw.hpp"

namespace ichdet {

/// Colours of all that is not scan or label.
namespace theme {
inline constexpr draw::Color black{0, 0, 0}, panel{22, 24, 28}, line{62, 66, 74};
inline constexpr draw::Color ink{232, 234, 238}, caption{196, 200, 208}, dim{150, 156, 166};  // bright to faint
inline constexpr draw::Color alert{240, 120, 40}, warning{255, 196, 60};
}  // namespace theme

/// For each slice, which labels it shows, ascending, background left out.
using LabelsBySlice = std::vector<std::vector<std::uint8_t>>;
LabelsBySlice labels_by_slice(const SliceLabels& labels);

/// What the panel beside a picture tells about the slices that the picture shows.
struct PanelOptions {
  std::vector<std::int64_t> shown;  ///< indices of the slices in the picture, marked along z
  bool names_slices = true;         ///< whether each of them is named in the plot (one slice) or only ticked (a sheet)
};

/// Draws the panel: decision and probability, reasons for review, each label's colour, name and volume, each slice's
/// probability along z (the head's end of the stack on top) with the labels it shows, the model, and "not for clinical
/// use". At least 240 x 420 pixels are needed for nothing to be cut off.
void draw_panel(Image& image, std::int64_t x, std::int64_t y, std::int64_t width, std::int64_t height,
                const SliceGeometry& geometry, const LabelsBySlice& labels, const StudyResult& result,
                const PanelOptions& options);

}  // namespace ichdet

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/report/panel_inl.hpp"
#endif
