#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ichdet/core/config.hpp"
#include "ichdet/core/results.hpp"
#include "ichdet/core/slice_stack.hpp"
#include "ichdet/io/png.hpp"
#include "ichdet/report/panel.hpp"
#include "ichdet/report/view.hpp"

namespace ichdet {

/// What all pictures of a study share. Work it out once where there are many to draw.
struct PictureSetup {
  SliceView view;
  LabelsBySlice labels;
};
PictureSetup picture_setup(const SliceStack& stack, const SliceLabels& labels);

struct OverlayOptions {
  double window_center_hu = 40;  ///< the brain window, W80 L40
  double window_width_hu = 80;
  bool outlines = true;     ///< a crisp line around each label, just outside it
  double fill_opacity = 0;  ///< tint inside the lines, in [0, 1]; 0 leaves the blood as the scanner saw it
  std::string caption;      ///< one line of the caller's own, such as the series' description; never filled from DICOM
  std::int64_t slice_px = 760;        ///< height and width of the slice in `render_slice`
  std::int64_t tile_px = 240;         ///< width of a slice in `render_sheet`; more where there are fewer than 4 columns
  std::int64_t max_tiles = 30;        ///< how many slices a sheet shows at most
  std::optional<PictureSetup> setup;  ///< as `picture_setup` gives it; worked out for each picture where not given
};

/// One slice, upright and in radiological convention, beside a panel that says what was found.
///
/// The pixels are square on the picture whatever they are in the file, and the slice lies in its own plane: a tilted
/// gantry's slices are shown as acquired. With it: edges marked R L A P S I, scale bar, slice index (as in
/// `result.json`, from 0), z and probability, outlines coloured by label, volumes, each slice's probability along z,
/// reasons for review, and "not for clinical use". Labels are named and measured by `result`.
///
/// RGB. The same input gives the same bytes. Throws Error(shape) where labels and stack differ in shape and
/// Error(options) where `slice` does not exist or an option makes no sense.
Image render_slice(const SliceStack& stack, const SliceLabels& labels, const StudyResult& result, std::int64_t slice,
                   const OverlayOptions& options = {});

/// The contact sheet: slices in z order from the feet up, with the finding as its title and the same panel. Where there
/// are more than `max_tiles` slices, those that `sheet_slices` chooses.
Image render_sheet(const SliceStack& stack, const SliceLabels& labels, const StudyResult& result,
                   const OverlayOptions& options = {});

/// Which slices a sheet of `max_tiles` shows, ascending. Those without head or label are left out. Where there are
/// still too many: up to three quarters of the tiles evenly sampled from those with a label or a probability of at
/// least the decision's threshold (the likeliest one among them), the others evenly sampled from the rest.
std::vector<std::int64_t> sheet_slices(const PictureSetup& setup, const StudyResult& result, std::int64_t max_tiles);

}  // namespace ichdet

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/report/overlay_inl.hpp"
#endif
