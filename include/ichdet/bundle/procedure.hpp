#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

// How a segmentation network is laid over a volume, as its bundle says. Arrays are z, y, x.
namespace ichdet {

/// How much a voxel of a patch weighs where patches overlap.
enum class Blending {
  constant,         ///< all alike
  monai_gaussian,   ///< MONAI 1.x: exp(-x² / 2 sigma²) around (n - 1) / 2 on each axis, sigma = n / 8, at least 1e-3
  nnunet_gaussian,  ///< nnU-Net 2: a point at n / 2, blurred by scipy's gaussian_filter, sigma = n / 8; zeros lifted
};

/// What lies beyond the image.
enum class Padding {
  edge,  ///< the nearest voxel, repeated
  zero,  ///< 0 in the channels that the network reads
};

/// Where patches start.
enum class PatchPlaces {
  monai,   ///< every max(1, int(n · (1 - overlap))) voxels; the last one is moved back to end with the image
  nnunet,  ///< as few as have steps of at most n · (1 - overlap), spread evenly and rounded
};

/// A copy of the input that the network is shown: flipped, then turned, then scaled. Its answer is brought back.
struct View {
  struct QuarterTurns {
    std::array<std::size_t, 2> plane{1, 2};  ///< axes; one turn brings the first one's direction to the second's
    int turns = 0;                           ///< 0 to 3
    bool operator==(const QuarterTurns&) const = default;
  };
  std::array<bool, 3> flip{};  ///< z, y, x
  QuarterTurns rotate90 = {};
  double scale = 1;  ///< 2: twice as large

  bool operator==(const View&) const = default;
};

/// Voxels at the model's spacing.
struct PatchSpec {
  std::array<std::int64_t, 3> input{};
  std::array<std::int64_t, 3> output{};  ///< smaller than `input` for valid convolutions
  /// Outputs that start at, and extend over, multiples of this are the same whatever the patch size; 0: fixed patches.
  std::int64_t step = 0;
  Padding padding = Padding::edge;
  double overlap = 0;  ///< of neighbouring outputs, in [0, 1)
  Blending blending = Blending::constant;
  PatchPlaces places = PatchPlaces::monai;

  bool operator==(const PatchSpec&) const = default;
};

/// A second look where a network found next to nothing (S2): its labels are united with the first ones.
struct RescueSpec {
  double below_ml = 0;                  ///< of blood, in all of the network's own labels
  std::array<std::int64_t, 3> patch{};  ///< input and output
  double overlap = 0;
  std::vector<View> views;  ///< each looked at by itself

  bool operator==(const RescueSpec&) const = default;
};

/// What is done around the network.
struct ProcedureSpec {
  enum class Crop {
    none,
    foreground,  ///< to the smallest box that holds every voxel with a channel above 0
  };
  enum class Merge { logits, probabilities };
  /// How the answer returns to the native slices.
  enum class Inversion {
    labels,         ///< the likeliest class on the model's grid, nearest neighbour
    probabilities,  ///< interpolated linearly, then the likeliest class
  };
  Crop crop = Crop::none;
  std::vector<View> views = {View{}};  ///< test-time augmentation: the answer is the views' mean
  Merge merge = Merge::probabilities;  ///< what is averaged over members, views and overlapping patches
  Inversion inversion = Inversion::labels;
  std::optional<RescueSpec> rescue = {};

  bool operator==(const ProcedureSpec&) const = default;
};

}  // namespace ichdet
