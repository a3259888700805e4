#pragma once

#include <array>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <vector>

#include "kernels.hpp"

// Activations as tiles take them, and what happens to a row between two products.
namespace ichdet::nn {

/// Memory that is used again and grows where it has to, aligned to 64 bytes; what it held is lost then. Large ones are
/// asked for in huge pages: with small ones a tile spends a sixth of its time on the first touch of each.
class Memory {
 public:
  template <class T>
  T* as(std::int64_t count) {
    reserve(std::size_t(count) * sizeof(T));
    return static_cast<T*>(data_.get());
  }
  std::size_t bytes() const { return bytes_; }

 private:
  void reserve(std::size_t bytes);
  std::size_t bytes_ = 0;
  std::unique_ptr<void, void (*)(void*)> data_{nullptr, std::free};
};

/// Planes z of rows, of which the last `planes` are there: z and z + planes share their place.
struct Planes {
  std::int64_t planes = 0, height = 0, width = 0;
};

/// (z, y, channel pair, x) of pairs of bfloat16, the even channel in the lower half. Rows of x begin at multiples of
/// 64 bytes, an odd number of them apart: rows above each other fall into different sets of the cache. Behind each
/// plane are zeros: a product reads up to `readable_rows` too many.
struct PairRows : Planes {
  PairRows() = default;
  PairRows(Memory& memory, const Planes& size, std::int64_t channels, std::int64_t readable_rows);
  std::uint32_t* row(std::int64_t z, std::int64_t y) const {
    return data + z % planes * plane_size + y * pairs * pitch;
  }

  std::int64_t pairs = 0, pitch = 0, plane_size = 0;
  std::uint32_t* data = nullptr;
};

/// (z, y, channel, x) of float32.
struct FloatRows : Planes {
  FloatRows() = default;
  FloatRows(Memory& memory, const Planes& size, std::int64_t count);
  float* row(std::int64_t z, std::int64_t y) const { return data + (z % planes * height + y) * channels * pitch; }

  std::int64_t channels = 0, pitch = 0;
  float* data = nullptr;
};

std::int64_t row_tiles(std::int64_t width);  ///< of 16 voxels
std::int64_t row_pitch(std::int64_t width);

/// What becomes of the sums of two channels in one row. Each pointer is to the even channel's row; the odd one's is
/// `*_stride` further. Pointers may be null: that part is left out.
struct FinishPair {
  float bias[2], scale[2], shift[2], slope;
  const float* shortcut = nullptr;  ///< added to the sum
  float* kept = nullptr;            ///< the sum, for a shortcut to read
  std::int64_t shortcut_stride = 0, kept_stride = 0;
  const std::uint32_t* rounded_shortcut = nullptr;  ///< both channels, in bfloat16, in place of `shortcut`
  std::uint32_t* rounded_kept = nullptr;            ///< in place of `kept`
  std::uint32_t* rounded = nullptr;                 ///< prelu(sum * scale + shift) in bfloat16
  std::uint32_t* rest = nullptr;                    ///< what rounding took, in bfloat16
};

/// The sum at x is sums[x]; where the product was made for three taps along x, sums[x] + sums[stride + x + 1] +
/// sums[2 stride + x + 2]. The odd channel's sums begin at `odd`. Works on `tiles` times 16 voxels.
void finish_pair(const FinishPair& finish, int taps, const float* even, const float* odd, std::int64_t stride,
                 std::int64_t tiles);

/// One row of a 3 x 3 x 3 valid convolution of `inputs` channels in float32: out[c * stride + x]. `rows` are 9 rows in
/// z, y order for each input channel, readable for `tiles` times 16 + 2 voxels; weight is (tap along z, y, x of each
/// input channel, channel), channels in multiples of four.
void convolve_row(const float* const* rows, std::int64_t inputs, const float* weight, std::int64_t channels, float* out,
                  std::int64_t stride, std::int64_t tiles);

/// x[i] = prelu(x[i] * scale + shift)
void affine_prelu(float* x, float scale, float shift, float slope, std::int64_t n);

}  // namespace ichdet::nn
