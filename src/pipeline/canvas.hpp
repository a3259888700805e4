#pragma once

#include <array>
#include <functional>
#include <vector>

#include "ichdet/bundle/spec.hpp"
#include "ichdet/core/array.hpp"

// Where a network's answers go, piece by piece, each voxel once.
namespace ichdet::pipeline {

/// Takes the classes' values (class, z, y, x) of the box of the volume that begins at `begin`; what lies beyond the
/// volume is dropped, and so is what is 0 in `computed` (where there is one).
using Painter = std::function<void(const std::array<std::int64_t, 3>& begin, const Array4<float>& values,
                                   const Array3<std::uint8_t>* computed)>;

/// Keeps all values.
Painter paint_values(Array4<float>& values);

/// Keeps the likeliest class, as argmax() finds it, and the sum of the classes that are blood.
Painter paint_labels(Array3<std::uint8_t>& labels, Array3<float>& blood, const std::vector<ClassSpec>& classes);

/// Logits to probabilities, for the next painter.
Painter softmax_to(Painter next);

/// Softmax over the classes of (class, voxels), in place.
void softmax(float* values, std::int64_t classes, std::int64_t voxels, int threads = 1);

}  // namespace ichdet::pipeline
