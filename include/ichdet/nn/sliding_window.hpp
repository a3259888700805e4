#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <vector>

#include "ichdet/core/array.hpp"
#include "ichdet/core/progress.hpp"

namespace ichdet {

enum class Blending { constant, gaussian };

/// What lies beyond the image.
enum class Padding {
  edge,      ///< the nearest voxel, repeated
  constant,  ///< `padding_value`
};

/// A box of voxels, z y x.
struct Box {
  std::array<std::int64_t, 3> begin{}, size{};
};

struct SlidingWindowOptions {
  std::array<std::int64_t, 3> input{};  ///< patch that the network reads, z y x
  std::array<std::int64_t, 3>
      output{};        ///< patch that it answers, centred in the input; smaller for valid convolutions
  double overlap = 0;  ///< of neighbouring outputs, in [0, 1)
  Blending blending = Blending::constant;
  double sigma_scale = 0.125;  ///< Gaussian: sigma over the output's size
  double least_weight = 1e-3;  ///< Gaussian: no voxel weighs less
  Padding padding = Padding::edge;
  float padding_value = 0;
  /// Output voxels to compute; empty: the whole image. Patches start at its corner; the last ones are moved back to end
  /// with it where outputs equal inputs, and reach beyond it (the surplus being dropped) where outputs are smaller.
  Box region;
};

/// Patch (channel, z, y, x) of the input's size to values (class, z, y, x) of the output's.
using PatchPredictor = std::function<Array4<float>(const Array4<float>& patch)>;

/// Whether the patch whose output covers this part of the image is worth computing.
using PatchFilter = std::function<bool(const Box& output)>;

/// Takes finished planes, each once and in order: those of the region from image plane `z` on, as (class, planes,
/// region's y, region's x). `computed` is 0 where only skipped patches lie; all classes are 0 there.
using SlabSink = std::function<void(std::int64_t z, const Array4<float>& values, const Array3<std::uint8_t>& computed)>;

/// Lays a network over an image (channel, z, y, x) in overlapping patches and hands blended planes to `sink`.
///
/// Patch places and weights are those of MONAI 1.x's sliding_window_inference: step = max(1, int(size · (1 -
/// overlap))), weights exp(-x² / 2 sigma²) around (n - 1) / 2, at least `least_weight`. An image smaller than the patch
/// is padded on both sides, the odd voxel at the end. With valid convolutions, patches lie as in blast-ct 2.1.0. Holds
/// one slab (the output's depth of the region) of sums beside what the sink keeps. Results do not depend on anything
/// but the arguments: patches are added up in order.
///
/// Throws Error(options) for sizes and overlaps that make no sense, Error(shape) where the predictor answers another
/// size, Error(cancelled) on request; progress is reported after each patch.
void sliding_window(const Array4<float>& image, std::int64_t classes, const PatchPredictor& predict,
                    const SlabSink& sink, const SlidingWindowOptions& options, const PatchFilter& keep = {},
                    const Progress& progress = {});

/// Where patches start along one axis of `length` voxels: steps as above, the last one ending with the axis where
/// `fits_in`, else beyond it.
std::vector<std::int64_t> patch_starts(std::int64_t length, std::int64_t patch, double overlap, bool fits_in);

}  // namespace ichdet
