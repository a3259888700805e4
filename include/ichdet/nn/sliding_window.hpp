#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <vector>

#include "ichdet/bundle/procedure.hpp"
#include "ichdet/core/array.hpp"
#include "ichdet/core/progress.hpp"

namespace ichdet {

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
  PatchPlaces places = PatchPlaces::monai;
  std::array<bool, 3> from_end{};  ///< axes along which patches are laid from the image's last voxel to its first
  Padding padding = Padding::edge;
  /// Output voxels to compute; empty: the whole image. Patches start at its corner; the last ones are moved back to end
  /// with it where outputs equal inputs, and reach beyond it (the surplus being dropped) where outputs are smaller.
  Box region;
};

/// What the network says of the part of the image that `input` is (it may reach beyond the image): values (class, z, y,
/// x) of the output's size.
using BoxPredictor = std::function<Array4<float>(const Box& input)>;
/// The same of a patch (channel, z, y, x) of the input's size.
using PatchPredictor = std::function<Array4<float>(const Array4<float>& patch)>;

/// Whether the patch whose output covers this part of the image is worth computing.
using PatchFilter = std::function<bool(const Box& output)>;

/// Takes finished planes, each once and in order: those of the region from image plane `z` on, as (class, planes,
/// region's y, region's x), which are valid during the call. `computed` is 0 where only skipped patches lie; all
/// classes are 0 there.
using SlabSink = std::function<void(std::int64_t z, const Array4<float>& values, const Array3<std::uint8_t>& computed)>;

/// Lays a network over an image of `shape` (z, y, x) in overlapping patches and hands blended planes to `sink`.
///
/// Patch places and weights are those of MONAI 1.x's sliding_window_inference, or of nnU-Net 2's
/// sliding_window_prediction (in float32; the library keeps weights and sums in float16). An image smaller than the
/// patch is padded on both sides, the odd voxel at the end. With valid convolutions, patches lie as in blast-ct 2.1.0.
/// Holds the sums of one slab, as deep as the output, beside what the sink keeps. Results do not depend on anything but
/// the arguments: patches are added up in order.
///
/// Throws Error(options) for sizes and overlaps that make no sense, Error(shape) where the predictor answers another
/// size, Error(cancelled) on request; progress is reported after each patch.
void sliding_window(const std::array<std::int64_t, 3>& shape, std::int64_t classes, const BoxPredictor& predict,
                    const SlabSink& sink, const SlidingWindowOptions& options, const PatchFilter& keep = {},
                    const Progress& progress = {});

/// The same over an array (channel, z, y, x), from which patches are cut.
void sliding_window(const Array4<float>& image, std::int64_t classes, const PatchPredictor& predict,
                    const SlabSink& sink, const SlidingWindowOptions& options, const PatchFilter& keep = {},
                    const Progress& progress = {});

/// Where patches start along one axis of `length` voxels, ascending. The last one ends with the axis where `fits_in`,
/// else it may reach beyond it.
std::vector<std::int64_t> patch_starts(std::int64_t length, std::int64_t patch, double overlap, bool fits_in,
                                       PatchPlaces places = PatchPlaces::monai);

/// How much each voxel of a patch of `n` weighs along one axis; a voxel of a box weighs the product of its three, but
/// at least `least_weight`.
std::vector<float> patch_weights(std::int64_t n, Blending blending);
float least_weight(const std::array<std::vector<float>, 3>& weights, Blending blending);

}  // namespace ichdet
