#pragma once

#include <array>

#include "cover.hpp"
#include "ichdet/bundle/procedure.hpp"
#include "ichdet/core/array.hpp"

namespace ichdet::pipeline {

/// Which of the overlapping patches that a fast network answered are worth an exact answer: in cells of a few voxels,
/// counts the answers that there were, and the exact ones among them.
class SecondLook {
 public:
  /// `clear`: background probability from which a voxel needs none; `share`: of the answers about any other cell, at
  /// least so many are to be exact.
  SecondLook(const std::array<std::int64_t, 3>& voxels, float clear, double share);

  /// Of a fast answer (class, z, y, x; probabilities or logits) about a box, which may reach beyond the voxels. Counts.
  bool wanted(const Array4<float>& answer, ProcedureSpec::Merge merge, const Box& box);

 private:
  Cells answers_, exact_;
  std::array<std::int64_t, 3> voxels_;
  float clear_;
  double share_;
};

}  // namespace ichdet::pipeline
