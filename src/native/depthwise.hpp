#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "convolution.hpp"

namespace ichdet::native {

/// A convolution of each channel by itself, in float32 on rows that pass through the cache.
///
/// Its input may be made on the way by a convolution of one pixel (MobileNet's and EfficientNet's expansion): then the
/// expanded map is never in memory as a whole. It may leave the sums over each channel behind (for a mean).
class Depthwise {
 public:
  struct Options {
    Shape shape;
    Map in, out;
    std::vector<float> weight;  ///< (tap, place) for the places of the output's blocks
    std::vector<float> bias;    ///< by place
    Activation activation;
    /// The expansion of `in`: its weights' outputs are the places; `weight` of one pixel.
    std::optional<Layer> expansion;
    std::optional<std::int64_t> sums;  ///< offset in the arena of a float for each band and place
  };
  explicit Depthwise(Options options);

  std::int64_t units() const;
  void run(char* arena, std::int64_t begin, std::int64_t end) const;

  /// How many bands of rows have sums of their own: `sums` are (band, place).
  static std::int64_t bands(std::int64_t rows);

 private:
  struct Rows;
  void fill(const char* arena, std::int64_t block, std::int64_t y, float* row) const;

  Options options_;
  Weights expansion_;
  std::vector<float> expansion_bias_;
  std::vector<std::int64_t> offsets_;
};

}  // namespace ichdet::native
