#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <functional>
#include <vector>

#include "fold_deepmedic.hpp"
#include "tile_product.hpp"
#include "voxel_rows.hpp"

namespace ichdet::nn {

/// DeepMedic on products of bfloat16 tiles with float32 sums.
///
/// A 3 x 3 x 3 convolution is the product of its weights with whole rows of voxels, one for each plane of the input;
/// its three taps along x are rows of the weights, added one voxel apart afterwards, so that no row is read from
/// another place than where its line of the cache begins.
///
/// With `split`, values and weights are the sum of two bfloat16 numbers, and three of the four products are made: the
/// result is float32's but for some 2^-16.
class TiledDeepMedic {
 public:
  TiledDeepMedic(FoldedDeepMedic folded, bool split, bool amx);

  /// (1, channels, D, H, W) to logits (1, classes, ...).
  at::Tensor operator()(const at::Tensor& input) const;
  std::int64_t activation_bytes(at::IntArrayRef input_shape) const;

 private:
  using Size = std::array<std::int64_t, 3>;

  /// Per channel, filled up with zeros to an even number of them.
  struct Finish {
    std::vector<float> bias, scale, shift;
    float slope = 1;
    Finish(const at::Tensor& bias, const AffinePrelu* after);
    FinishPair pair(std::int64_t p) const;
  };
  /// What is kept of a sum for a shortcut to read.
  enum class Keep { nothing, rounded, exact };
  Keep kept_if(bool shortcut) const { return !shortcut ? Keep::nothing : split_ ? Keep::exact : Keep::rounded; }

  struct Layer {
    TiledWeights weights;
    Finish finish;
    std::int64_t channels;
    bool shortcut;
    Keep kept;
  };
  struct Path {
    std::int64_t first_channels;
    std::vector<float> first_weight;  ///< for convolve_row
    Finish first_finish;
    std::vector<Layer> layers;  ///< after the first
  };
  /// Values, and with `split` what rounding took from them.
  struct Activations {
    PairRows rounded, rest;
  };

  void add_segments(std::vector<const std::uint32_t*>& segments, const Activations& from, std::int64_t z,
                    std::int64_t y) const;
  void set_weight(TiledWeights& weights, std::int64_t row, std::int64_t segment, std::int64_t column,
                  float value) const;
  Path make_path(const FoldedPath& folded) const;
  Layer make_convolution(const FoldedPath& path, std::size_t block) const;

  /// What a block makes and the next one reads, with memory of its own.
  struct Stage {
    Memory rounded, rest, stream;
    Activations out;
    FloatRows kept;                ///< for a shortcut,
    PairRows rounded_kept;         ///< one of the two
    std::int64_t depth, done = 0;  ///< planes in all, and made so far
  };
  static void write_to(FinishPair& finish, const Stage& out, std::int64_t z, std::int64_t y, std::int64_t pair);
  static void read_shortcut(FinishPair& finish, const Stage& in, std::int64_t z, std::int64_t y, std::int64_t pair,
                            std::int64_t x);
  void allocate(Stage& stage, const Planes& size, std::int64_t channels, Keep keep) const;

  /// Planes from `begin` to `end` of the output.
  void run_first(const Path& path, const FloatRows& input, const Stage& out, std::int64_t begin,
                 std::int64_t end) const;
  void run_layer(const Layer& layer, const Stage& in, const Stage& out, std::int64_t begin, std::int64_t end) const;
  void run_head(const std::vector<Activations>& features, std::int64_t begin, std::int64_t end,
                at::Tensor& logits) const;

  /// Hands the last block's planes over as soon as they are there.
  using Receive = std::function<void(const Activations&, std::int64_t begin, std::int64_t end)>;
  void run_path(std::size_t path, const at::Tensor& input, const Size& output, const Receive& receive) const;

  FoldedDeepMedic folded_;
  bool split_, amx_;
  std::int64_t parts_;  ///< products of one: 1, or 3 where values are split
  std::vector<Path> paths_;
  std::vector<Layer> head_;
};

}  // namespace ichdet::nn
