#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "map.hpp"
#include "tiles.hpp"
#include "vectors.hpp"

namespace ichdet::native {

using Pair = std::array<std::int64_t, 2>;  ///< along y, along x

/// A convolution's shape. `padding` is above and left; below and right follow from the output's size.
struct Shape {
  Pair kernel{1, 1}, stride{1, 1}, padding{0, 0}, dilation{1, 1};
};

/// Multiplies a map's channels by values that each image has of its own.
struct Gate {
  std::int64_t values = 0;   ///< offset in the arena of a float for each channel of the map's blocks
  std::int64_t weights = 0;  ///< offset of room for the weights times them
};

/// What a convolution is made of. Weights are (output, channel, kernel y, kernel x).
struct Layer {
  Shape shape;
  Map in, out;
  std::vector<std::int64_t> channel_of;  ///< where in `in` the weight's channels are: block times 32 + place
  const float* weight = nullptr;
  std::int64_t outputs = 0;
  const float* bias = nullptr;  ///< or none
  Activation activation;
  std::optional<Map> addend;
  std::optional<Gate> gate;  ///< of `in`, for kernels of one pixel
  bool split = false;
};

/// Bytes that the tiles of such a layer's weights take.
std::int64_t weight_bytes(const Layer& layer);

/// y = act(convolution of x + bias + addend), by products of tiles straight from the map: nothing is unfolded.
class Convolution {
 public:
  explicit Convolution(const Layer& layer);

  /// Before the first unit of an image.
  void prepare(char* arena) const;
  /// Units of work, which threads may share.
  std::int64_t units() const;
  void run(char* arena, std::int64_t begin, std::int64_t end) const;

 private:
  struct Tile {
    std::int64_t in, y, x;  ///< of the first pixel; `in` in bytes
    int pixels;
  };
  void lay_tiles(const Shape& shape);
  void compute(char* arena, std::int64_t first_tile, int count, std::int64_t group, int groups, float* sums) const;
  void finish(char* arena, const Tile& tile, std::int64_t group, int groups, const float* sums) const;

  Map in_, out_;
  std::optional<Map> addend_;
  Activation activation_;
  Weights weights_;
  std::vector<float> bias_;
  std::vector<std::int64_t> offsets_;
  std::int64_t pixel_bytes_ = 0;
  std::optional<Gate> gate_;
  std::vector<float> unrounded_;  ///< weights in the order of tiles, where there is a gate
  std::int64_t row_pixels_ = 0;   ///< from one row's first pixel to the next one's, as tiles count them
  std::vector<Tile> tiles_;
  bool outputs_first_ = false;
};

}  // namespace ichdet::native
