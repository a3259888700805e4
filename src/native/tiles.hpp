#pragma once

#include <cstdint>
#include <vector>

// AMX: products of bfloat16 tiles of 16 pixels x 32 channels and 32 channels x 16 outputs, summed in float32.
#define ICHDET_NATIVE __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")))

namespace ichdet::native {

constexpr std::int64_t lanes = 16;     ///< pixels, and outputs, of a tile; floats of a register
constexpr std::int64_t channels = 32;  ///< of a block: what a tile multiplies at once

/// 32 channels x 16 outputs; a row has two channels of each output.
struct alignas(64) WeightTile {
  std::uint16_t values[16][32];
};

/// Weights as tiles: for each group of 16 outputs and each step of 32 channels one tile, or, where values are split in
/// two, the rounded one and then the rest.
class Weights {
 public:
  Weights() = default;
  Weights(std::int64_t outputs, std::int64_t steps, bool split);

  void set(std::int64_t output, std::int64_t step, std::int64_t channel, float value);

  std::int64_t groups() const { return groups_; }
  std::int64_t steps() const { return steps_; }
  bool split() const { return parts_ == 2; }
  std::int64_t bytes() const { return std::int64_t(tiles_.size() * sizeof(WeightTile)); }
  const WeightTile* tiles() const { return tiles_.data(); }

 private:
  std::int64_t groups_ = 0, steps_ = 0, parts_ = 1;
  std::vector<WeightTile> tiles_;
};

/// Tiles laid out as in Weights.
struct WeightsView {
  const WeightTile* tiles = nullptr;
  std::int64_t steps = 0;
  bool split = false;

  WeightsView(const Weights& weights) : WeightsView(weights.tiles(), weights) {}
  WeightsView(const WeightTile* other, const Weights& like) : tiles(other), steps(like.steps()), split(like.split()) {}
  const WeightTile* group(std::int64_t g) const { return tiles + g * steps * (split ? 2 : 1); }
};

/// Where the pixels of a product are: 16 of them `pixel_bytes` apart, for each step at `offsets[step]` from where a
/// tile begins; what rounding took lies `rest_bytes` further.
struct Pixels {
  const std::int64_t* offsets = nullptr;
  std::int64_t pixel_bytes = 64, rest_bytes = 0;
};

/// On a thread that holds an nn::TileThread: sums of `count` (1 to 4) tiles of pixels and of `groups` (1 or 2; 2 for at
/// most two tiles) groups of 16 outputs from `group` on: sums[(tile * 16 + pixel) * 16 groups + output].
void multiply(const WeightsView& weights, std::int64_t group, int groups, const Pixels& pixels,
              const char* const* tiles, int count, float* sums);

}  // namespace ichdet::native
