#pragma once

#include <cstdint>
#include <vector>

// Products of a small matrix of weights and long rows of voxels, bfloat16 with float32 sums: AMX tiles where the CPU
// has them, else AVX-512's products of pairs, else the same in C++, equal to them but for the order of the sums.
namespace ichdet::nn {

/// Whether this CPU and this operating system have AMX's bfloat16 product, after asking for the right to use it.
bool has_amx_bf16();
/// AVX-512 as the native engine's kernels need it: F, BW, DQ and VL; and with products of bfloat16.
bool has_avx512();
bool has_avx512_bf16();

/// Rounded to the nearest, ties to even.
std::uint16_t to_bf16(float value);
float from_bf16(std::uint16_t bits);

/// A matrix of weights, cut into the tiles that the product takes: groups of 32 rows, and columns in segments, each of
/// which meets rows of its own. Two columns together make a pair.
class TiledWeights {
 public:
  static constexpr std::int64_t group_rows = 32, step_pairs = 16;
  struct alignas(64) Tile {
    std::uint16_t values[16][2 * step_pairs];
  };

  TiledWeights(std::int64_t rows, std::int64_t segments, std::int64_t pairs);
  void set(std::int64_t row, std::int64_t segment, std::int64_t column, std::uint16_t bf16);

  std::int64_t groups() const { return groups_; }
  std::int64_t segments() const { return segments_; }
  std::int64_t steps() const { return steps_; }  ///< of 16 pairs, in one segment
  /// By segment and step, the group's upper and lower 16 rows.
  const Tile* group(std::int64_t g) const { return tiles_.data() + g * segments_ * steps_ * 2; }

 private:
  std::int64_t groups_, segments_, steps_;
  std::vector<Tile> tiles_;
};

/// For as long as it lives, this thread may call multiply_group; with `amx` by AMX.
class TileThread {
 public:
  explicit TileThread(bool amx);
  ~TileThread();
  TileThread(const TileThread&) = delete;
  TileThread& operator=(const TileThread&) = delete;
  bool amx() const { return amx_; }

 private:
  bool amx_;
};

/// sums[row * sums_stride + x] = sum of weight[row, segment, 2 pair + i] * half i of segments[segment][pair * stride +
/// x] for the 32 rows of a group and the voxels x of `tiles` times 16. A voxel's element is a pair of bfloat16, the
/// lower half first. Segments begin at multiples of 64 bytes and are readable for all steps' pairs.
void multiply_group(const TileThread& thread, const TiledWeights& weights, std::int64_t group,
                    const std::uint32_t* const* segments, std::int64_t stride, std::int64_t tiles, float* sums,
                    std::int64_t sums_stride);

}  // namespace ichdet::nn
