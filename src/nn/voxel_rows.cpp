#include "voxel_rows.hpp"

#include <algorithm>
#include <cstring>
#include <string>

#include "ichdet/core/error.hpp"

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace ichdet::nn {
namespace {

constexpr std::int64_t lanes = 16;
constexpr std::size_t huge_page = 2 << 20;

// Sixteen voxels. Compilers split these where the CPU's registers are smaller.
using Floats = float __attribute__((vector_size(64)));
using Bits = std::uint32_t __attribute__((vector_size(64)));

[[gnu::always_inline]] inline void load(Floats& v, const float* from) { std::memcpy(&v, from, sizeof v); }
[[gnu::always_inline]] inline void load(Bits& v, const std::uint32_t* from) { std::memcpy(&v, from, sizeof v); }
[[gnu::always_inline]] inline void store(const Floats& v, float* to) { std::memcpy(to, &v, sizeof v); }
[[gnu::always_inline]] inline void store(const Bits& v, std::uint32_t* to) { std::memcpy(to, &v, sizeof v); }

/// bfloat16 in the upper half, zeros in the lower.
[[gnu::always_inline]] inline void round(Bits& rounded, const Floats& v) {
  std::memcpy(&rounded, &v, sizeof v);
  rounded = (rounded + 0x7fff + ((rounded >> 16) & 1)) & 0xffff0000u;
}

[[gnu::always_inline]] inline void widen(Floats& v, const Bits& rounded) { std::memcpy(&v, &rounded, sizeof v); }

}  // namespace

std::int64_t row_tiles(std::int64_t width) { return (width + lanes - 1) / lanes; }
std::int64_t row_pitch(std::int64_t width) { return (row_tiles(width) | 1) * lanes; }

void Memory::reserve(std::size_t bytes) {
  if (bytes <= bytes_) return;
  data_.reset();
  bytes_ = 0;
  const std::size_t page = bytes < huge_page ? 64 : huge_page, whole = (bytes + page - 1) / page * page;
  data_.reset(std::aligned_alloc(page, whole));
  if (data_ == nullptr) {
    throw Error(ErrorCode::limit, "network: not enough memory for " + std::to_string(whole >> 20) + " MiB more");
  }
  bytes_ = whole;
#ifdef __linux__
  if (page == huge_page) madvise(data_.get(), whole, MADV_HUGEPAGE);
#endif
}

PairRows::PairRows(Memory& memory, const Planes& size, std::int64_t channels, std::int64_t readable_rows)
    : Planes(size), pairs((channels + 1) / 2), pitch(row_pitch(width)) {
  const auto used = height * pairs * pitch, spare = (readable_rows + 1) * pitch;
  plane_size = used + spare;
  data = memory.as<std::uint32_t>(planes * plane_size);
  for (std::int64_t z = 0; z < planes; ++z) std::fill_n(data + z * plane_size + used, spare, 0u);
}

FloatRows::FloatRows(Memory& memory, const Planes& size, std::int64_t count)
    : Planes(size), channels(count), pitch(row_pitch(width)) {
  const auto used = planes * height * channels * pitch, spare = 2 * lanes;
  data = memory.as<float>(used + spare);
  std::fill_n(data + used, spare, 0.f);
}

ICHDET_SIMD void finish_pair(const FinishPair& finish, int taps, const float* even, const float* odd,
                             std::int64_t stride, std::int64_t tiles) {
  for (std::int64_t x = 0; x < tiles * lanes; x += lanes) {
    Bits rounded[2], rest[2] = {}, kept[2] = {}, shortcut = {};
    if (finish.rounded_shortcut != nullptr) load(shortcut, finish.rounded_shortcut + x);
    for (int half = 0; half < 2; ++half) {
      const float* sums = (half == 0 ? even : odd) + x;
      Floats sum, more;
      load(sum, sums);
      if (taps == 3) {
        load(more, sums + stride + 1);
        sum += more;
        load(more, sums + 2 * stride + 2);
        sum += more;
      }
      sum += finish.bias[half];
      if (finish.shortcut != nullptr) {
        load(more, finish.shortcut + half * finish.shortcut_stride + x);
        sum += more;
      }
      if (finish.rounded_shortcut != nullptr) {
        widen(more, half == 0 ? shortcut << 16 : shortcut & 0xffff0000u);
        sum += more;
      }
      if (finish.rounded_kept != nullptr) round(kept[half], sum);
      if (finish.kept != nullptr) store(sum, finish.kept + half * finish.kept_stride + x);
      Floats value = sum * finish.scale[half] + finish.shift[half];
      value = value > 0 ? value : value * finish.slope;
      round(rounded[half], value);
      if (finish.rest != nullptr) {
        widen(more, rounded[half]);
        round(rest[half], value - more);
      }
    }
    if (finish.rounded_kept != nullptr) store(kept[0] >> 16 | kept[1], finish.rounded_kept + x);
    if (finish.rounded != nullptr) store(rounded[0] >> 16 | rounded[1], finish.rounded + x);
    if (finish.rest != nullptr) store(rest[0] >> 16 | rest[1], finish.rest + x);
  }
}

ICHDET_SIMD void convolve_row(const float* const* rows, std::int64_t inputs, const float* weight, std::int64_t channels,
                              float* out, std::int64_t stride, std::int64_t tiles) {
  for (std::int64_t x = 0; x < tiles * lanes; x += lanes) {
    for (std::int64_t c = 0; c < channels; c += 4) {
      Floats sums[4] = {}, value;
      for (std::int64_t row = 0; row < 9 * inputs; ++row) {
        for (int tap = 0; tap < 3; ++tap) {
          load(value, rows[row] + x + tap);
          const float* w = weight + (row * 3 + tap) * channels + c;
          for (int i = 0; i < 4; ++i) sums[i] += value * w[i];
        }
      }
      for (int i = 0; i < 4; ++i) store(sums[i], out + (c + i) * stride + x);
    }
  }
}

ICHDET_SIMD void affine_prelu(float* x, float scale, float shift, float slope, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) {
    const float value = x[i] * scale + shift;
    x[i] = value > 0 ? value : slope * value;
  }
}

}  // namespace ichdet::nn
