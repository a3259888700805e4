#pragma once

#include <ATen/core/Tensor.h>

#include <array>

namespace ichdet::train {

/// Neighbouring slices, or a patch of a volume, on the way to a network.
struct Slab {
  at::Tensor hu;    ///< (slice, row, column), float32: Hounsfield units
  at::Tensor mask;  ///< (slice, row, column), uint8: classes, or `unknown_label`; undefined where none is known
  std::array<double, 3> spacing_mm{1, 1, 1};  ///< between slices, rows, columns
};

}  // namespace ichdet::train
