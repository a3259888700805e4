#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "canvas.hpp"
#include "cover.hpp"
#include "ichdet/bundle/spec.hpp"
#include "ichdet/core/array.hpp"
#include "ichdet/core/progress.hpp"
#include "ichdet/nn/prepare.hpp"

namespace ichdet::pipeline {

using Networks = std::vector<PreparedNetwork>;

/// What is asked about which part of a volume.
struct Question {
  const ModelSpec& model;
  const Array3<float>& hu;
  Box bounds;                      ///< of the volume: beyond it there is the model's padding
  Networks networks;               ///< whose mean is the answer
  std::vector<std::string> names;  ///< their bundles
  Networks exact;                  ///< adaptive: the same in float32, for what is not clear; else empty
  float clear = 0;                 ///< background probability from which a voxel is
  double exact_share = 1;  ///< of overlapping patches that show something unclear, at least so many are asked again
  const char* stage = "network";
};

/// What the answer took, in voxels of the patches' outputs and in patches.
struct Effort {
  std::int64_t voxels = 0, again = 0, patches = 0, skipped = 0;

  Effort& operator+=(const Effort& other);
};

/// Asks in boxes, each one patch, that a network with a step takes: `painter` gets probabilities. `exact` is not asked.
Effort ask_boxes(const Question& question, const std::vector<Box>& boxes, const Painter& painter,
                 const Progress& progress);

/// Asks in overlapping patches of fixed size, those whose output meets a marked cell; `painter` gets probabilities or
/// logits, whichever the model's procedure merges. A patch with a voxel that is not clear is asked of `exact` again.
/// `mirror`: axes along which the whole image is flipped first.
Effort ask_windows(const Question& question, const Cells& cells, const PatchSpec& patch, const std::vector<View>& views,
                   const std::array<bool, 3>& mirror, const Painter& painter, const Progress& progress);

}  // namespace ichdet::pipeline
