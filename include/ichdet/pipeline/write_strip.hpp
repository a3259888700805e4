#pragma once

#include <filesystem>

#include "ichdet/core/progress.hpp"
#include "ichdet/core/slice_stack.hpp"
#include "ichdet/io/study.hpp"
#include "ichdet/pipeline/skull_strip.hpp"

namespace ichdet {

/// The brain on a stack's own slices: the stack on 1 mm voxels (segmentation_grid) is stripped, and the mask comes back
/// by nearest neighbour. Throws as SkullStripper.
struct StrippedStack {
  SliceLabels brain;     ///< 1: "brain"
  double volume_ml = 0;  ///< of the mask on the 1 mm grid
  BrainMask found;
};
StrippedStack strip_stack(const SliceStack& stack, const SkullStripper& stripper, int threads = 0,
                          const Progress& progress = {});

/// Writes `brain_mask.nii.gz`, `brain.nii.gz` (HU, -1024 outside the brain) and `sheet.png` (slices with the mask's
/// outline) into `folder`, on the study's own grid. Throws Error(io) naming the file.
void write_strip(const StrippedStack& stripped, const io::Study& study, const std::filesystem::path& folder);

}  // namespace ichdet
