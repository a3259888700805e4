#pragma once

#include <cstdint>
#include <vector>

// Products of tiles of 16 pixels x 32 channels and 32 channels x 16 outputs, summed in float32: bfloat16 on AMX or on
// AVX-512's products of pairs, float32 on AVX-512.
#define ICHDET_NATIVE __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")))

namespace ichdet::native {

constexpr std::int64_t lanes = 16;     ///< pixels, and outputs, of a tile; floats of a register
constexpr std::int64_t channels = 32;  ///< of a block: what a tile multiplies at once

/// Numbers as float32; as bfloat16; as two bfloat16: the rounded one, and what rounding took, rounded too.
enum class Format { float32, bfloat16, split };
constexpr std::int64_t parts_of(Format format) { return format == Format::bfloat16 ? 1 : 2; }  ///< of 16 bits

/// How a map's values lie: float32 in 4 bytes, or bfloat16 in 2; where those are split, the rest `rest_bytes` further.
struct Kept {
  std::int64_t value_bytes = 2, rest_bytes = 0;

  std::int64_t half() const { return lanes * value_bytes; }  ///< bytes of 16 channels
};

/// Bfloat16: 32 channels x 16 outputs; a row has two channels of each output. Float32: of one channel each, so that
/// two tiles are 32 channels.
struct alignas(64) WeightTile {
  std::uint16_t values[16][32];
};

/// Where a weight is in the tiles of its step and group: counted in bfloat16, or in float32.
constexpr std::int64_t place_in_tile(Format format, std::int64_t output, std::int64_t channel) {
  return format == Format::float32 ? channel * lanes + output % lanes
                                   : channel / 2 * 2 * lanes + output % lanes * 2 + channel % 2;
}

/// Weights as tiles: for each group of 16 outputs and each step of 32 channels one tile of bfloat16, or two: of
/// float32, or of the rounded numbers and then of the rest.
class Weights {
 public:
  Weights() = default;
  Weights(std::int64_t outputs, std::int64_t steps, Format format);

  void set(std::int64_t output, std::int64_t step, std::int64_t channel, float value);
  /// In float32, those of a group's 16 outputs.
  void set_group(std::int64_t group, std::int64_t step, std::int64_t channel, const float* values);

  std::int64_t groups() const { return groups_; }
  std::int64_t steps() const { return steps_; }
  Format format() const { return format_; }
  /// Of each step: as many channels, in pairs where there are such, as have weights, in fours.
  const std::vector<int>& used() const { return used_; }
  std::int64_t bytes() const { return std::int64_t(tiles_.size() * sizeof(WeightTile)); }
  const WeightTile* tiles() const { return tiles_.data(); }

 private:
  void use(std::int64_t step, std::int64_t channel);

  std::int64_t groups_ = 0, steps_ = 0;
  Format format_ = Format::bfloat16;
  std::vector<int> used_;
  std::vector<WeightTile> tiles_;
};

/// Tiles laid out as in Weights.
struct WeightsView {
  const WeightTile* tiles = nullptr;
  std::int64_t steps = 0;
  Format format = Format::bfloat16;
  const int* used = nullptr;

  WeightsView(const Weights& weights) : WeightsView(weights.tiles(), weights) {}
  WeightsView(const WeightTile* other, const Weights& like)
      : tiles(other), steps(like.steps()), format(like.format()), used(like.used().data()) {}
  const WeightTile* group(std::int64_t g) const { return tiles + g * steps * parts_of(format); }
};

/// Where the pixels of a product are: 16 of them `pixel_bytes` apart, for each step at `offsets[step]` from where a
/// tile begins; what rounding took lies `rest_bytes` further.
struct Pixels {
  const std::int64_t* offsets = nullptr;
  std::int64_t pixel_bytes = 64, rest_bytes = 0;
  const int* wanted = nullptr;  ///< of each tile, how many pixels: sums of others may be anything. None: all
};

/// On a thread that holds an nn::TileThread where there is AMX: sums of `count` (1 to 4) tiles of pixels and of
/// `groups` (1 or 2; on AMX 2 for at most two tiles) groups of 16 outputs from `group` on: sums[(tile * 16 + pixel) *
/// 16 groups + output].
void multiply(const WeightsView& weights, std::int64_t group, int groups, const Pixels& pixels,
              const char* const* tiles, int count, float* sums);

/// `count` (up to 128) rows of `length` floats, one behind the other, as the pixels of float32 weights: sums[(row *
/// groups + group) * 16 + output]. `offsets`: where the weights' steps begin in a row, in bytes; in its order those of
/// row_offsets.
void multiply_rows(const Weights& weights, const std::vector<std::int64_t>& offsets, std::int64_t group, int groups,
                   const float* rows, std::int64_t length, std::int64_t count, float* sums);
/// Where the steps of such a row begin.
std::vector<std::int64_t> row_offsets(std::int64_t steps);

/// Whether numbers of this format are multiplied on AMX.
bool on_amx(Format format);

/// The same by AVX-512 alone, of float32 or bfloat16.
void multiply_vectors(const WeightsView& weights, std::int64_t group, int groups, const Pixels& pixels,
                      const char* const* tiles, int count, float* sums);

}  // namespace ichdet::native
