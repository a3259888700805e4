#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "ichdet/core/array.hpp"
#include "ichdet/nn/sliding_window.hpp"

namespace ichdet::pipeline {

/// A grid of cells of `side` voxels, laid from the volume's first voxel; the last ones may reach beyond it.
struct Cells {
  Array3<std::uint8_t> marked;  ///< z, y, x
  std::int64_t side = 1;

  Cells(const std::array<std::int64_t, 3>& voxels, std::int64_t side);
  std::int64_t count() const;
};

/// The cells that hold a voxel of the mask.
Cells cells_of(const Array3<std::uint8_t>& mask, std::int64_t side);

/// Marks the cells of `among` that hold, or lie within `margin` voxels of, a voxel whose background probability is
/// below `clear`. `background` is of `box`, which may reach beyond the `voxels` of the volume.
void mark_unclear(Cells& cells, std::span<const float> background, const Box& box, const Cells& among,
                  const std::array<std::int64_t, 3>& voxels, float clear, std::int64_t margin);

/// Whether a box of voxels, which may reach beyond the cells, holds a marked cell or a part of one.
bool meets(const Box& box, const Cells& cells);

/// Boxes of voxels, whole cells, that hold every marked cell: what a network computes in place of the marked cells'
/// bounding box. A patch of n voxels a side costs (n + rim)^3, since valid convolutions compute a rim around it, so
/// the bounding box is cut in two, again and again, as long as the tightened halves cost less; and where it answers
/// more than `most_voxels`.
std::vector<Box> cover(const Cells& cells, std::int64_t rim, std::int64_t most_voxels);

}  // namespace ichdet::pipeline
