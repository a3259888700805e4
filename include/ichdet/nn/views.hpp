#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "ichdet/bundle/spec.hpp"
#include "ichdet/core/array.hpp"
#include "ichdet/core/progress.hpp"
#include "ichdet/nn/sliding_window.hpp"

namespace ichdet {

/// How a box of voxels (z, y, x) lies in the array that a network reads or answers, flipped and turned.
struct Layout {
  std::array<std::int64_t, 3> shape{};  ///< of the network's array
  std::int64_t offset = 0;              ///< of the box's first voxel in it
  std::array<std::int64_t, 3> step{};   ///< in it, from a voxel to the next one along z, y, x; negative where flipped

  std::int64_t voxels() const { return shape[0] * shape[1] * shape[2]; }
};

/// The layout of a box of `size` as `view` shows it (scale left out) to a network that reads `axes`, on a grid that
/// runs against the model's orientation along the axes `against`.
Layout layout_of(const std::array<std::int64_t, 3>& size, const View& view, AxisOrder axes = AxisOrder::zyx,
                 const std::array<bool, 3>& against = {});

/// Writes what a network reads of a box of the image (which it may leave), channel by channel, to where the layout
/// says.
using BoxReader = std::function<void(const Box& box, const Layout& layout, float* to)>;
/// (1, channel, ...) to (1, class, ...).
using PatchNetwork = std::function<at::Tensor(const at::Tensor&)>;

struct PatchViews {
  std::int64_t channels = 1, classes = 1;
  std::array<std::int64_t, 3> output{};  ///< of the networks, z y x, in the middle of what they read
  std::vector<View> views = {View{}};
  AxisOrder axes = AxisOrder::zyx;
  std::array<bool, 3> against{};
};

/// The mean answer of networks to views of one part of an image, `input`: (class, output).
///
/// Answers are added up in place, as they come, voxel by voxel: nothing is stacked, and nothing flipped in memory. A
/// view of scale s shows input / s voxels about the same centre, brought to the network's size linearly (half-pixel
/// centres), and its answer is brought back the same way; where s > 1 that is the patch's middle, and the mean
/// elsewhere is of the other views. The networks see one patch at a time.
///
/// Throws Error(options) where some voxel would be reached by no view, Error(shape) where a network answers another
/// size, Error(cancelled) on request.
Array4<float> mean_of_views(const BoxReader& read, std::span<const PatchNetwork> networks, const Box& input,
                            const PatchViews& options, const Progress& progress = {});

}  // namespace ichdet
