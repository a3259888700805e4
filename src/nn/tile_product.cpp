#include "tile_product.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "kernels.hpp"

#if defined(__x86_64__) && defined(__linux__)
#define ICHDET_AMX 1
#include <cpuid.h>
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>
#define ICHDET_AMX_TARGET __attribute__((target("amx-tile,amx-bf16")))
#endif

namespace ichdet::nn {
namespace {

constexpr std::int64_t lanes = 16, block = 3;  // voxels of a tile; tiles of voxels whose sums AMX holds at once

#ifdef ICHDET_AMX
struct alignas(64) TileConfig {
  std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
  std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
constexpr TileConfig all_tiles_full;

ICHDET_AMX_TARGET void configure() { _tile_loadconfig(&all_tiles_full); }
ICHDET_AMX_TARGET void release() { _tile_release(); }

// Tiles 0 to 2 are the sums of the group's upper 16 rows for three tiles of voxels, 3 to 5 of its lower; 6 weights,
// 7 voxels.
template <int count>
ICHDET_AMX_TARGET void multiply_amx(const TiledWeights::Tile* weights, std::int64_t segment_count, std::int64_t steps,
                                    const std::uint32_t* const* segments, std::int64_t stride, std::int64_t first,
                                    float* sums, std::int64_t sums_stride) {
  const long bytes = stride * 4, sum_bytes = sums_stride * 4;
  _tile_zero(0);
  _tile_zero(3);
  if constexpr (count > 1) {
    _tile_zero(1);
    _tile_zero(4);
  }
  if constexpr (count > 2) {
    _tile_zero(2);
    _tile_zero(5);
  }
  for (std::int64_t s = 0; s < segment_count; ++s) {
    const auto* x = segments[s] + first * lanes;
    for (std::int64_t step = 0; step < steps; ++step) {
      _tile_loadd(6, weights, 64);
      _tile_loadd(7, x, bytes);
      _tile_dpbf16ps(0, 6, 7);
      if constexpr (count > 1) {
        _tile_loadd(7, x + lanes, bytes);
        _tile_dpbf16ps(1, 6, 7);
      }
      if constexpr (count > 2) {
        _tile_loadd(7, x + 2 * lanes, bytes);
        _tile_dpbf16ps(2, 6, 7);
      }
      _tile_loadd(6, weights + 1, 64);
      if constexpr (count > 2) {
        _tile_dpbf16ps(5, 6, 7);
        _tile_loadd(7, x + lanes, bytes);
      }
      if constexpr (count > 1) {
        _tile_dpbf16ps(4, 6, 7);
        _tile_loadd(7, x, bytes);
      }
      _tile_dpbf16ps(3, 6, 7);
      weights += 2;
      x += TiledWeights::step_pairs * stride;
    }
  }
  float *upper = sums + first * lanes, *lower = upper + 16 * sums_stride;
  _tile_stored(0, upper, sum_bytes);
  _tile_stored(3, lower, sum_bytes);
  if constexpr (count > 1) {
    _tile_stored(1, upper + lanes, sum_bytes);
    _tile_stored(4, lower + lanes, sum_bytes);
  }
  if constexpr (count > 2) {
    _tile_stored(2, upper + 2 * lanes, sum_bytes);
    _tile_stored(5, lower + 2 * lanes, sum_bytes);
  }
}

/// One tile of 16 rows and 16 voxels, by AVX-512's products of pairs.
__attribute__((target("avx512f,avx512bf16"))) void multiply_pairs(const TiledWeights::Tile* weights,
                                                                  std::int64_t segment_count, std::int64_t steps,
                                                                  const std::uint32_t* const* segments,
                                                                  std::int64_t stride, std::int64_t first, float* sums,
                                                                  std::int64_t sums_stride) {
  __m512 total[16];
  for (auto& t : total) t = _mm512_setzero_ps();
  for (std::int64_t s = 0; s < segment_count; ++s) {
    for (std::int64_t k = 0; k < steps * TiledWeights::step_pairs; ++k) {
      const auto x = (__m512bh)_mm512_loadu_si512(segments[s] + k * stride + first * lanes);
      const auto& tile = weights[(s * steps + k / TiledWeights::step_pairs) * 2];
#pragma GCC unroll 16
      for (int row = 0; row < 16; ++row) {
        int pair;
        std::memcpy(&pair, &tile.values[row][k % TiledWeights::step_pairs * 2], sizeof pair);
        total[row] = _mm512_dpbf16_ps(total[row], x, (__m512bh)_mm512_set1_epi32(pair));
      }
    }
  }
#pragma GCC unroll 16
  for (int row = 0; row < 16; ++row) _mm512_storeu_ps(sums + row * sums_stride + first * lanes, total[row]);
}
#endif

/// The same in C++.
ICHDET_SIMD void multiply_portable(const TiledWeights::Tile* weights, std::int64_t segment_count, std::int64_t steps,
                                   const std::uint32_t* const* segments, std::int64_t stride, std::int64_t first,
                                   float* sums, std::int64_t sums_stride) {
  float total[16][lanes] = {};
  for (std::int64_t s = 0; s < segment_count; ++s) {
    for (std::int64_t k = 0; k < steps * TiledWeights::step_pairs; ++k) {
      const auto* x = segments[s] + k * stride + first * lanes;
      const auto& tile = weights[(s * steps + k / TiledWeights::step_pairs) * 2];
      const auto column = k % TiledWeights::step_pairs * 2;
      for (int row = 0; row < 16; ++row) {
        const float even = std::bit_cast<float>(std::uint32_t(tile.values[row][column]) << 16);
        const float odd = std::bit_cast<float>(std::uint32_t(tile.values[row][column + 1]) << 16);
        if (even == 0 && odd == 0) continue;
        for (int i = 0; i < lanes; ++i) {
          total[row][i] += even * std::bit_cast<float>(x[i] << 16) + odd * std::bit_cast<float>(x[i] & 0xffff0000u);
        }
      }
    }
  }
  for (int row = 0; row < 16; ++row) std::copy_n(total[row], lanes, sums + row * sums_stride + first * lanes);
}

}  // namespace

bool has_amx_bf16() {
#ifdef ICHDET_AMX
  static const bool found = [] {
    unsigned a = 0, b = 0, c = 0, d = 0;
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return false;
    constexpr unsigned amx_bf16 = 1u << 22, amx_tile = 1u << 24;
    constexpr int request_permission = 0x1023, tile_data = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
    return (d & amx_bf16) != 0 && (d & amx_tile) != 0 && syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
  }();
  return found;
#else
  return false;
#endif
}

bool has_avx512() {
#ifdef ICHDET_AMX
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
#else
  return false;
#endif
}

bool has_avx512_bf16() {
#ifdef ICHDET_AMX
  return has_avx512() && __builtin_cpu_supports("avx512bf16");
#else
  return false;
#endif
}

std::uint16_t to_bf16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  return std::uint16_t((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

float from_bf16(std::uint16_t bits) { return std::bit_cast<float>(std::uint32_t(bits) << 16); }

TiledWeights::TiledWeights(std::int64_t rows, std::int64_t segments, std::int64_t pairs)
    : groups_((rows + group_rows - 1) / group_rows),
      segments_(segments),
      steps_((pairs + step_pairs - 1) / step_pairs),
      tiles_(std::size_t(groups_ * segments_ * steps_ * 2)) {}

void TiledWeights::set(std::int64_t row, std::int64_t segment, std::int64_t column, std::uint16_t bf16) {
  const auto tile = ((row / group_rows * segments_ + segment) * steps_ + column / 32) * 2 + row % group_rows / 16;
  tiles_[std::size_t(tile)].values[row % 16][column % 32] = bf16;
}

TileThread::TileThread(bool amx) : amx_(amx) {
#ifdef ICHDET_AMX
  if (amx_) configure();
#endif
}

TileThread::~TileThread() {
#ifdef ICHDET_AMX
  if (amx_) release();
#endif
}

void multiply_group([[maybe_unused]] const TileThread& thread, const TiledWeights& weights, std::int64_t group,
                    const std::uint32_t* const* segments, std::int64_t stride, std::int64_t tiles, float* sums,
                    std::int64_t sums_stride) {
  const auto* tile = weights.group(group);
  const auto count = weights.segments(), steps = weights.steps();
#ifdef ICHDET_AMX
  if (thread.amx()) {
    // Three at a time, and 2 + 2 where 3 + 1 would be left.
    for (std::int64_t x = 0; x < tiles;) {
      const auto left = tiles - x;
      if (left >= block && left != 4) {
        multiply_amx<3>(tile, count, steps, segments, stride, x, sums, sums_stride);
        x += 3;
      } else if (left >= 2) {
        multiply_amx<2>(tile, count, steps, segments, stride, x, sums, sums_stride);
        x += 2;
      } else {
        multiply_amx<1>(tile, count, steps, segments, stride, x, sums, sums_stride);
        x += 1;
      }
    }
    return;
  }
#endif
#ifdef ICHDET_AMX
  static const auto multiply = has_avx512_bf16() ? multiply_pairs : multiply_portable;
#else
  constexpr auto multiply = multiply_portable;
#endif
  for (std::int64_t x = 0; x < tiles; ++x) {
    multiply(tile, count, steps, segments, stride, x, sums, sums_stride);
    multiply(tile + 1, count, steps, segments, stride, x, sums + 16 * sums_stride, sums_stride);
  }
}

}  // namespace ichdet::nn
