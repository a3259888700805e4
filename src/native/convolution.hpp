#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "finish.hpp"
#include "map.hpp"
#include "tiles.hpp"
#include "vectors.hpp"

namespace ichdet::native {

/// A convolution's shape. `padding` is before the first pixel of each axis; what is behind the last follows from the
/// output's size.
struct Shape {
  Triple kernel{1, 1, 1}, stride{1, 1, 1}, padding{0, 0, 0}, dilation{1, 1, 1};
};

/// Multiplies a map's channels by values that each image has of its own.
struct Gate {
  std::int64_t values = 0;   ///< offset in the arena of a float for each channel of the map's blocks
  std::int64_t weights = 0;  ///< offset of room for the weights times them
};

/// What a convolution is made of. Weights are (output, channel, kernel z, y, x).
struct Layer {
  Shape shape;
  Map in, out;
  std::vector<std::int64_t> channel_of;  ///< where in `in` the weight's channels are: block times its channels + place
  const float* weight = nullptr;
  std::int64_t outputs = 0;
  const float* bias = nullptr;  ///< or none
  Activation activation;
  std::optional<Map> addend;
  std::optional<SlopeAt> slope;
  std::optional<Gate> gate;  ///< of `in`, for kernels of one pixel
  /// Transposed: each pixel becomes so many, by a kernel of as many; weights are (channel, output, kernel z, y, x).
  /// Then `shape` is that of one pixel.
  Triple up{1, 1, 1};
  bool transposed = false;
  /// Offset in the arena of floats (part, group of 16 outputs, 2, 16): the sums of each output, before the activation,
  /// and of their squares.
  std::optional<std::int64_t> statistics;
  Format format = Format::bfloat16;
};

/// Bytes that the tiles of such a layer's weights take.
std::int64_t weight_bytes(const Layer& layer);

/// y = act(convolution of x + bias + addend) * slope, by products of tiles straight from the map: nothing is unfolded.
class Convolution {
 public:
  explicit Convolution(const Layer& layer);

  /// Before the first unit of an image.
  void prepare(char* arena) const;
  /// Units of work, which threads may share.
  std::int64_t units() const;
  void run(char* arena, std::int64_t begin, std::int64_t end) const;

  /// Of statistics.
  std::int64_t parts() const;
  /// No more parts has a map of this size, from rows of `width_in`.
  static std::int64_t most_parts(const Triple& size, std::int64_t width_in);

 private:
  struct Tile {
    std::int64_t in = 0;  ///< of the first pixel, in bytes
    std::int32_t z = 0, y = 0, x = 0, pixels = 0;
  };
  void lay_tiles(const Layer& layer);
  void compute(char* arena, std::int64_t first_tile, int count, std::int64_t group, int groups, float* statistics,
               float* sums) const;
  void put(char* arena, const Tile& tile, std::int64_t group, int groups, const float* sums, float* statistics) const;

  Map in_;
  Finish finish_;
  Weights weights_;
  std::vector<std::int64_t> offsets_;
  std::int64_t pixel_bytes_ = 0;
  std::optional<Gate> gate_;
  std::vector<float> unrounded_;  ///< weights in the order of tiles, where there is a gate
  Triple up_;
  std::int64_t tap_groups_ = 0;  ///< groups of 16 outputs of each of `up`'s pixels
  std::optional<std::int64_t> statistics_;
  std::int64_t row_pixels_ = 0;  ///< from one row's first pixel to the next one's, as tiles count them
  std::vector<Tile> tiles_;
  std::int64_t unit_tiles_ = 0;
  bool outputs_first_ = false;
};

}  // namespace ichdet::native
