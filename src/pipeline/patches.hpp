#pragma once

#include <vector>

#include "cover.hpp"
#include "ichdet/bundle/spec.hpp"
#include "ichdet/core/array.hpp"
#include "ichdet/core/progress.hpp"
#include "ichdet/nn/prepare.hpp"

namespace ichdet::pipeline {

using Networks = std::vector<PreparedNetwork>;

/// The networks' mean probabilities, written into `probabilities` (class, z, y, x) where boxes are. Returns the boxes'
/// voxels.
std::int64_t paint_boxes(const Networks& networks, const ModelSpec& model, const Array4<float>& image,
                         const std::vector<Box>& boxes, Array4<float>& probabilities, const char* stage,
                         const Progress& progress);

/// What fixed patches came to, in voxels of their outputs.
struct Painted {
  std::int64_t voxels = 0, again = 0;
};

/// The same in the model's own patches, those whose output meets a marked cell. Where `exact` is not empty, a patch
/// with a voxel less likely background than `clear` is computed again with it.
Painted paint_patches(const Networks& networks, const Networks& exact, const ModelSpec& model,
                      const Array4<float>& image, const Cells& cells, float clear, Array4<float>& probabilities,
                      const Progress& progress);

}  // namespace ichdet::pipeline
