#include "convolution.hpp"

#include <algorithm>
#include <cstring>

#include "../nn/tile_product.hpp"

namespace ichdet::native {
namespace {

constexpr int quad = 4;                   // tiles of pixels that are computed together
constexpr std::int64_t band = 16 * quad;  // tiles of a unit of work that leaves statistics behind
constexpr std::int64_t tile_values = 512;
constexpr std::int64_t weights_in_cache = 1 << 20;  // bytes: larger ones are read once, and the maps again
constexpr std::int64_t widest_border = 8;           // that tiles of more than one row run through

/// How many of the kernel's columns one step multiplies: those that lie beside each other in 32 channels.
std::int64_t columns_of_step(const Map& in, const Shape& shape) {
  return in.per_pixel == 16 && shape.dilation[2] == 1 ? 2 : 1;
}

/// Steps for one row of the kernel. One has 32 channels of one pixel, or 16 of two beside each other; of a map of four,
/// where pixels lie beside each other, four channels of eight.
std::int64_t row_steps(const Layer& layer) {
  const auto width = layer.shape.kernel[2], reach = (width - 1) * layer.shape.dilation[2] + 1;
  const auto columns = columns_of_step(layer.in, layer.shape);
  return layer.in.per_pixel == 4 ? (reach * 4 + channels - 1) / channels
                                 : (width + columns - 1) / columns * std::int64_t(layer.in.blocks.size());
}

/// A place of a kernel's values in the tiles.
struct Place {
  std::int64_t step, channel;
};

}  // namespace

std::int64_t weight_bytes(const Layer& layer) {
  return volume(layer.up) * ((layer.outputs + lanes - 1) / lanes) * layer.shape.kernel[0] * layer.shape.kernel[1] *
         row_steps(layer) * std::int64_t(sizeof(WeightTile)) * parts_of(layer.format);
}

Convolution::Convolution(const Layer& layer)
    : in_(layer.in),
      finish_{layer.out, {}, layer.activation, layer.addend, layer.slope},
      pixel_bytes_(layer.in.pixel_bytes() * layer.shape.stride[2]),
      gate_(layer.gate),
      up_(layer.up),
      tap_groups_((layer.outputs + lanes - 1) / lanes),
      statistics_(layer.statistics),
      unit_tiles_(layer.statistics ? band : quad) {
  const auto& [kernel, stride, padding, dilation] = layer.shape;
  const auto steps = row_steps(layer), inputs = std::int64_t(layer.channel_of.size());
  const auto taps = volume(kernel), pixels = volume(up_), columns = columns_of_step(in_, layer.shape);
  weights_ = Weights(pixels * tap_groups_ * lanes, kernel[0] * kernel[1] * steps, layer.format);
  outputs_first_ = weights_.bytes() > weights_in_cache;

  for (std::int64_t row = 0; row < kernel[0] * kernel[1]; ++row) {
    const auto at =
        in_.pixel(row / kernel[1] * dilation[0] - padding[0], row % kernel[1] * dilation[1] - padding[1], -padding[2]);
    const auto block_steps = steps / std::int64_t(in_.blocks.size());
    for (std::int64_t i = 0; i < steps; ++i) {
      const auto beside = in_.per_pixel == 4 ? channels * in_.kept.value_bytes * i
                                             : i % block_steps * columns * dilation[2] * in_.pixel_bytes();
      offsets_.push_back(in_.blocks[std::size_t(i / block_steps)] + at + beside);
    }
  }
  const auto place_of = [&, &d = dilation, &k = kernel](std::int64_t place, std::int64_t tap) {
    const auto row = tap / k[2], x = tap % k[2];
    if (in_.per_pixel == 4) {
      const auto beside = x * d[2] * 4;
      return Place{row * steps + beside / channels, beside % channels + place};
    }
    const auto block = place / in_.per_pixel * (steps / std::int64_t(in_.blocks.size()));
    return Place{row * steps + block + x / columns, x % columns * in_.per_pixel + place % in_.per_pixel};
  };
  if (gate_) unrounded_.resize(std::size_t(weights_.groups() * weights_.steps()) * tile_values);
  for (std::int64_t pixel = 0; pixel < pixels; ++pixel) {
    for (std::int64_t o = 0; o < layer.outputs; ++o) {
      const auto output = pixel * tap_groups_ * lanes + o;
      for (std::int64_t c = 0; c < inputs; ++c) {
        for (std::int64_t tap = 0; tap < taps; ++tap) {
          const auto [step, channel] = place_of(layer.channel_of[std::size_t(c)], tap);
          const float value =
              layer.weight[layer.transposed ? (c * layer.outputs + o) * pixels + pixel : (o * inputs + c) * taps + tap];
          weights_.set(output, step, channel, value);
          if (gate_) {
            const auto tile = output / lanes * weights_.steps() + step;
            unrounded_[std::size_t(tile * tile_values + place_in_tile(layer.format, output, channel))] = value;
          }
        }
      }
    }
  }
  finish_.bias.assign(std::size_t(tap_groups_ * lanes), 0);
  if (layer.bias != nullptr) std::copy_n(layer.bias, layer.outputs, finish_.bias.begin());
  lay_tiles(layer);
}

void Convolution::lay_tiles(const Layer& layer) {
  const auto& stride = layer.shape.stride;
  Triple size = finish_.out.size;
  for (std::size_t axis = 0; axis < 3; ++axis) size[axis] /= up_[axis];
  const auto [depth, height, width] = size;
  // On AMX all tiles take the same time, so that they go on in the next row.
  const bool whole_rows = !on_amx(layer.format) || width % lanes == 0 || stride[1] != 1 || stride[2] != 1 ||
                          width > in_.pitch() || in_.border[2] > widest_border;
  row_pixels_ = whole_rows ? width : in_.pitch();
  const auto add = [&](std::int64_t z, std::int64_t y, std::int64_t x, std::int64_t in, std::int64_t pixels) {
    Tile tile;
    tile.in = (z * stride[0] * in_.plane() + in) * in_.pixel_bytes();
    tile.z = std::int32_t(z);
    tile.y = std::int32_t(y);
    tile.x = std::int32_t(x);
    tile.pixels = std::int32_t(pixels);
    tiles_.push_back(tile);
  };
  for (std::int64_t z = 0; z < depth; ++z) {
    if (whole_rows) {
      for (std::int64_t y = 0; y < height; ++y) {
        for (std::int64_t x = 0, tiles = (width + lanes - 1) / lanes; tiles > 0; --tiles) {
          const auto pixels = on_amx(layer.format) ? std::min(lanes, width - x) : (width - x + tiles - 1) / tiles;
          add(z, y, x, y * stride[1] * in_.pitch() + x * stride[2], pixels);
          x += pixels;
        }
      }
    } else {
      const auto all = (height - 1) * row_pixels_ + width;
      for (std::int64_t i = 0; i < all; i += lanes)
        add(z, i / row_pixels_, i % row_pixels_, i, std::min(lanes, all - i));
    }
  }
}

ICHDET_NATIVE void Convolution::prepare(char* arena) const {
  if (!gate_) return;
  const auto* gate = reinterpret_cast<const float*>(arena + gate_->values);
  auto* tile = reinterpret_cast<char*>(arena + gate_->weights);
  const float* weight = unrounded_.data();
  const auto parts = parts_of(weights_.format());
  const Kept kept{2, parts == 2 ? std::int64_t(sizeof(WeightTile)) : 0};
  for (std::int64_t i = 0; i < weights_.groups() * weights_.steps(); ++i, tile += parts * sizeof(WeightTile)) {
    const float* g = gate + i % weights_.steps() * channels;
    if (weights_.format() == Format::float32) {
      for (std::int64_t c = 0; c < channels; ++c, weight += lanes) {
        _mm512_storeu_ps(tile + c * 64, _mm512_mul_ps(_mm512_loadu_ps(weight), _mm512_set1_ps(g[c])));
      }
      continue;
    }
    for (int row = 0; row < 16; ++row, weight += 32) {
      double two;
      std::memcpy(&two, g + 2 * row, sizeof two);
      const __m512 scale = _mm512_castpd_ps(_mm512_set1_pd(two));
      const __m512 x = _mm512_mul_ps(_mm512_loadu_ps(weight), scale);
      const __m512 y = _mm512_mul_ps(_mm512_loadu_ps(weight + lanes), scale);
      store_whole(tile + row * 64, kept, x, y);
    }
  }
}

std::int64_t Convolution::most_parts(const Triple& size, std::int64_t width_in) {
  const auto row = std::max(size[2] + lanes - 1, width_in + widest_border);
  return (size[0] * ((size[1] * row + lanes - 1) / lanes) + band - 1) / band;
}

std::int64_t Convolution::parts() const { return (std::int64_t(tiles_.size()) + band - 1) / band; }

std::int64_t Convolution::units() const {
  return outputs_first_ ? (tap_groups_ + 1) / 2 * volume(up_)
                        : (std::int64_t(tiles_.size()) + unit_tiles_ - 1) / unit_tiles_;
}

void Convolution::run(char* arena, std::int64_t begin, std::int64_t end) const {
  const nn::TileThread tiles_here(nn::has_amx_bf16());
  alignas(64) float sums[2 * quad * lanes * lanes];
  const int tiles_of_two = on_amx(weights_.format()) ? 2 : quad;  // whose sums of two groups are made together
  const auto tiles = std::int64_t(tiles_.size()), pixels = volume(up_);
  const auto group_pair = [&](std::int64_t first, std::int64_t last, std::int64_t pixel, std::int64_t in_tap,
                              float* statistics) {
    const int count = int(std::min<std::int64_t>(quad, last - first));
    const auto group = pixel * tap_groups_ + in_tap;
    float* here = statistics == nullptr ? nullptr : statistics + in_tap * lanes * 2;
    if (in_tap + 1 < tap_groups_) {
      for (int i = 0; i < count; i += tiles_of_two) {
        compute(arena, first + i, std::min(count - i, tiles_of_two), group, 2, here, sums);
      }
    } else {
      compute(arena, first, count, group, 1, here, sums);
    }
  };
  for (std::int64_t unit = begin; unit < end; ++unit) {
    const auto part_floats = tap_groups_ * lanes * 2;
    float* statistics = statistics_ ? reinterpret_cast<float*>(arena + *statistics_) : nullptr;
    if (outputs_first_) {
      const auto pairs = (tap_groups_ + 1) / 2, pixel = unit / pairs, in_tap = unit % pairs * 2;
      for (std::int64_t first = 0; first < tiles; first += quad) {
        if (statistics != nullptr && first % band == 0) {
          if (first > 0) statistics += part_floats;
          std::fill_n(statistics + in_tap * lanes * 2, std::min<std::int64_t>(2, tap_groups_ - in_tap) * lanes * 2,
                      0.f);
        }
        group_pair(first, tiles, pixel, in_tap, statistics);
      }
      continue;
    }
    if (statistics != nullptr) {
      statistics += unit * part_floats;
      std::fill_n(statistics, part_floats, 0.f);
    }
    const auto last = std::min(tiles, (unit + 1) * unit_tiles_);
    for (std::int64_t first = unit * unit_tiles_; first < last; first += quad) {
      for (std::int64_t pixel = 0; pixel < pixels; ++pixel) {
        for (std::int64_t in_tap = 0; in_tap < tap_groups_; in_tap += 2) {
          group_pair(first, last, pixel, in_tap, statistics);
        }
      }
    }
  }
}

void Convolution::compute(char* arena, std::int64_t first_tile, int count, std::int64_t group, int groups,
                          float* statistics, float* sums) const {
  const char* from[quad];
  int wanted[quad];
  for (int i = 0; i < count; ++i) {
    from[i] = arena + tiles_[std::size_t(first_tile + i)].in;
    wanted[i] = tiles_[std::size_t(first_tile + i)].pixels;
  }
  const Pixels pixels{offsets_.data(), pixel_bytes_, in_.kept.rest_bytes, wanted};
  const WeightsView weights =
      gate_ ? WeightsView(reinterpret_cast<const WeightTile*>(arena + gate_->weights), weights_) : weights_;
  multiply(weights, group, groups, pixels, from, count, sums);
  for (int i = 0; i < count; ++i) {
    put(arena, tiles_[std::size_t(first_tile + i)], group, groups, sums + i * lanes * lanes * groups, statistics);
  }
}

void Convolution::put(char* arena, const Tile& tile, std::int64_t group, int groups, const float* sums,
                      float* statistics) const {
  const auto pixel = group / tap_groups_;
  const Triple tap{pixel / (up_[1] * up_[2]), pixel / up_[2] % up_[1], pixel % up_[2]};
  const auto width = finish_.out.width() / up_[2];
  std::int64_t y = tile.y, x = tile.x;
  for (int i = 0; i < tile.pixels;) {
    const Run run{tile.z * up_[0] + tap[0], y * up_[1] + tap[1], x * up_[2] + tap[2], up_[2],
                  std::min<std::int64_t>(width - x, tile.pixels - i)};
    if (run.count > 0) {
      finish(finish_, arena, run, group % tap_groups_ * lanes, groups, sums + i * lanes * groups, statistics);
    }
    i += int(row_pixels_ - x);
    x = 0;
    ++y;
  }
}

}  // namespace ichdet::native
