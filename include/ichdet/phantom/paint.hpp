#pragma once

#include <cstdint>
#include <vector>

#include "ichdet/core/slice_stack.hpp"
#include "ichdet/phantom/anatomy.hpp"
#include "ichdet/phantom/hemorrhage.hpp"

namespace ichdet {

/// Settings of `paint`.
struct PaintOptions {
  std::uint64_t seed = 0;     ///< of place, shape and texture
  bool keep_noise = true;     ///< put the scan's own noise back on the blood
  double oedema_drop_hu = 9;  ///< how much darker the rim of oedema is than the brain was
  int threads = 0;            ///< 0: as many as the machine has
};

/// What `paint` did: one label per pixel, and what was painted in the order asked.
struct PaintedLabels {
  SliceLabels truth;  ///< labels of `hemorrhage_label_names()`; where two overlap, the later
  std::vector<PaintedHemorrhage> placed;
};

/// Paints hemorrhages into `stack.hu` (in place; integers stay integers) and returns where they are.
///
/// One rule for all types: each pixel that may hold this type gets a cost in mm, and the cheapest pixels are taken
/// until their volume is the one asked for, so the volume is met within one pixel's share. Intraparenchymal: a warped
/// ellipsoid in brain, on one side. Intraventricular: ventricular CSF from the dependent (posterior) part up, with a
/// level. Subdural: a crescent on the inner table over one hemisphere. Epidural: a lens on the inner table.
/// Subarachnoid: CSF of sulci and cisterns around a point. Partial volume with bone and CSF is kept, and the scan's own
/// noise with `keep_noise`. Outside the label only
/// pixels whose cost is within the soft edge (and the rim) of the last one taken change.
///
/// Throws Error(options) where a hemorrhage of that volume does not fit or a setting makes no sense, Error(shape) where
/// the anatomy is of another stack.
PaintedLabels paint(SliceStack& stack, const HeadAnatomy& anatomy, const std::vector<Hemorrhage>& hemorrhages,
                    const PaintOptions& options = {});

}  // namespace ichdet

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/phantom/paint_inl.hpp"
#endif
