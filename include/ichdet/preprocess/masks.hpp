#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "ichdet/core/array.hpp"
#include "ichdet/core/config.hpp"
#include "ichdet/core/volume.hpp"

namespace ichdet {

/// Note [Clipped scans]
///
/// Some sets keep only a window of the HU (phe_sich: 0 to 80). Without air (no value below -200 HU) the lowest value is
/// background and is told from tissue by `clipped_tissue_hu` above it; without bone (no value above 300 HU) the highest
/// value is bone. What the window cut off cannot be had back: dense blood that reaches the limit and touches the skull
/// is taken for skull.

struct HeadMaskOptions {
  double tissue_hu = -300;        ///< the head is denser than this
  double clipped_tissue_hu = 10;  ///< above the lowest value, where the scan has no air
  double thinnest_mm = 4;  ///< table and head rest are thinner: pieces that hang on by less than twice this are cut off
  double gap_mm = 4;       ///< openings of the outline up to twice this are closed before it is filled
  int threads = 0;         ///< 0: as many as the machine has. Does not change any bit.
};

/// The head with all that it holds, air in its cavities included; 1 inside. Threshold, opening with a ball, the largest
/// piece, what hangs on closely, closing, holes filled slice by slice.
Array3<std::uint8_t> head_mask(const Volume& volume, const HeadMaskOptions& options = {});

struct BrainMaskOptions {
  double low_hu = 0, high_hu = 100;  ///< what may be brain, blood or fluid
  double bone_hu = 200;
  double skull_gap_mm = 8;  ///< gaps of the skull up to twice this are bridged
  double smooth_mm = 1;     ///< sigma of the Gaussian
  double erode_mm = 5;      ///< bridges to other tissue up to twice this wide are cut
  int threads = 0;          ///< 0: as many as the machine has. Does not change any bit.
};

/// What lies inside the skull, fluid and blood included; 1 inside.
///
/// After Muschelli et al., NeuroImage 114 (2015): 0 to 100 HU, Gaussian of 1 mm, masked again, the brain taken out,
/// holes filled; with morphology in place of BET: only tissue that the skull surrounds in its slice counts (the skull's
/// gaps closed), which is eroded, reduced to its largest piece, dilated within the skull and filled. The mask is
/// smoothed rather than the image, so that noise beyond the limits leaves no hole. Where the skull is open by more than
/// 2 · skull_gap_mm (craniectomy), that slice's brain is missed.
Array3<std::uint8_t> brain_mask(const Volume& volume, const BrainMaskOptions& options = {});

/// A box of voxels; x, y, z.
struct IndexBox {
  std::array<std::int64_t, 3> first{}, size{};
};

/// The smallest box that holds every voxel of the mask, `margin` voxels wider on each side where the array allows it;
/// nothing where the mask is empty.
std::optional<IndexBox> foreground_box(const Array3<std::uint8_t>& mask, std::int64_t margin = 0);

/// The part in a box, voxels copied, geometry in place. Throws Error(shape) unless the box lies inside.
Volume crop(const Volume& volume, const IndexBox& box);
LabelMap crop(const LabelMap& labels, const IndexBox& box);

}  // namespace ichdet

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/preprocess/masks_inl.hpp"
#endif
