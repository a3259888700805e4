#include "convolution.hpp"

#include <algorithm>
#include <cstring>

#include "../nn/tile_product.hpp"

namespace ichdet::native {
namespace {

constexpr std::int64_t quad = 4;  // tiles of pixels that a unit of work has
constexpr std::int64_t tile_values = 512;
constexpr std::int64_t weights_in_cache = 1 << 20;  // bytes: larger ones are read once, and the maps again

/// 16 or 32 channels of `count` pixels beside each other; with `alone` the block's other 16 become zeros.
template <int groups, bool alone = false>
ICHDET_NATIVE void finish_pixels(const float* sums, const float* bias, const Activation& activation, const char* addend,
                                 std::int64_t addend_rest, char* out, std::int64_t out_rest, std::int64_t count) {
  const __m512 bias0 = _mm512_loadu_ps(bias), bias1 = _mm512_loadu_ps(bias + (groups == 2 ? lanes : 0));
  for (std::int64_t i = 0; i < count; ++i, sums += groups * lanes, out += 64) {
    __m512 x = _mm512_add_ps(_mm512_load_ps(sums), bias0), y = bias1;
    if constexpr (groups == 2) y = _mm512_add_ps(_mm512_load_ps(sums + lanes), bias1);
    if (addend != nullptr) {
      x = _mm512_add_ps(x, load_half(addend, addend_rest));
      if constexpr (groups == 2) y = _mm512_add_ps(y, load_half(addend + 32, addend_rest));
      addend += 64;
    }
    x = apply(activation, x);
    if constexpr (groups == 2) {
      y = apply(activation, y);
      store_whole(out, out_rest, x, y);
    } else {
      store_half(out, out_rest, x);
      if (alone) store_half(out + 32, out_rest, _mm512_setzero_ps());
    }
  }
}

ICHDET_NATIVE void finish_narrow(const float* sums, const float* bias, const Activation& activation, char* out,
                                 std::int64_t out_rest, std::int64_t count) {
  const __m512 b = _mm512_loadu_ps(bias);
  for (std::int64_t i = 0; i < count; ++i, sums += lanes, out += 8) {
    const __m512 x = apply(activation, _mm512_add_ps(_mm512_load_ps(sums), b));
    const __m256i high = narrow(x);
    _mm_storel_epi64(reinterpret_cast<__m128i*>(out), _mm256_castsi256_si128(high));
    if (out_rest != 0) {
      const __m256i rest = narrow(_mm512_sub_ps(x, widen(high)));
      _mm_storel_epi64(reinterpret_cast<__m128i*>(out + out_rest), _mm256_castsi256_si128(rest));
    }
  }
}

/// Steps for one row of the kernel. One has 32 channels of one pixel; of a narrow map, where pixels lie beside each
/// other, four channels of eight.
std::int64_t row_steps(const Layer& layer) {
  const auto width = layer.shape.kernel[1], reach = (width - 1) * layer.shape.dilation[1] + 1;
  return layer.in.narrow ? (reach * 4 + channels - 1) / channels : width * std::int64_t(layer.in.blocks.size());
}

}  // namespace

std::int64_t weight_bytes(const Layer& layer) {
  return (layer.outputs + lanes - 1) / lanes * layer.shape.kernel[0] * row_steps(layer) *
         std::int64_t(sizeof(WeightTile)) * (layer.split ? 2 : 1);
}

Convolution::Convolution(const Layer& layer)
    : in_(layer.in),
      out_(layer.out),
      addend_(layer.addend),
      activation_(layer.activation),
      weights_(layer.outputs, layer.shape.kernel[0] * row_steps(layer), layer.split),
      pixel_bytes_(layer.in.pixel_bytes() * layer.shape.stride[1]),
      gate_(layer.gate),
      outputs_first_(weights_.bytes() > weights_in_cache) {
  const auto& [kernel, stride, padding, dilation] = layer.shape;
  const auto steps = row_steps(layer), inputs = std::int64_t(layer.channel_of.size()), taps = kernel[0] * kernel[1];
  const auto at = [&, &p = padding, &d = dilation](std::int64_t ky, std::int64_t kx) {
    return in_.pixel(ky * d[0] - p[0], kx * d[1] - p[1]);
  };
  for (std::int64_t ky = 0; ky < kernel[0]; ++ky) {
    for (std::int64_t i = 0; i < steps; ++i) {
      offsets_.push_back(in_.narrow ? in_.blocks[0] + at(ky, 0) + 64 * i
                                    : in_.blocks[std::size_t(i / kernel[1])] + at(ky, i % kernel[1]));
    }
  }
  if (gate_) unrounded_.resize(std::size_t(weights_.groups() * weights_.steps()) * tile_values);
  for (std::int64_t o = 0; o < layer.outputs; ++o) {
    for (std::int64_t c = 0; c < inputs; ++c) {
      for (std::int64_t tap = 0; tap < taps; ++tap) {
        const auto ky = tap / kernel[1], kx = tap % kernel[1], place = layer.channel_of[std::size_t(c)];
        const auto beside = kx * dilation[1] * 4;
        const auto step = ky * steps + (in_.narrow ? beside / channels : place / channels * kernel[1] + kx);
        const auto channel = in_.narrow ? beside % channels + place : place % channels;
        const float value = layer.weight[(o * inputs + c) * taps + tap];
        if (!gate_) {
          weights_.set(o, step, channel, value);
        } else {
          const auto tile = o / lanes * weights_.steps() + step;
          unrounded_[std::size_t(tile * tile_values + channel / 2 * 32 + o % lanes * 2 + channel % 2)] = value;
        }
      }
    }
  }
  bias_.assign(std::size_t(weights_.groups() * lanes), 0);
  if (layer.bias != nullptr) std::copy_n(layer.bias, layer.outputs, bias_.begin());
  lay_tiles(layer.shape);
}

void Convolution::lay_tiles(const Shape& shape) {
  const auto height = out_.height, width = out_.width;
  const bool whole_rows = width % lanes == 0 || shape.stride != Pair{1, 1} || width > in_.pitch();
  row_pixels_ = whole_rows ? width : in_.pitch();
  if (whole_rows) {
    for (std::int64_t y = 0; y < height; ++y) {
      for (std::int64_t x = 0; x < width; x += lanes) {
        const auto in = (y * shape.stride[0] * in_.pitch() + x * shape.stride[1]) * in_.pixel_bytes();
        tiles_.push_back({in, y, x, int(std::min(lanes, width - x))});
      }
    }
  } else {
    const auto all = (height - 1) * row_pixels_ + width;
    for (std::int64_t i = 0; i < all; i += lanes) {
      tiles_.push_back({i * in_.pixel_bytes(), i / row_pixels_, i % row_pixels_, int(std::min(lanes, all - i))});
    }
  }
}

/// Two channels of each of 16 outputs in a row, as in WeightTile.
ICHDET_NATIVE void Convolution::prepare(char* arena) const {
  if (!gate_) return;
  const auto* gate = reinterpret_cast<const float*>(arena + gate_->values);
  auto* tile = reinterpret_cast<char*>(arena + gate_->weights);
  const float* weight = unrounded_.data();
  const auto parts = weights_.split() ? 2 : 1;
  for (std::int64_t i = 0; i < weights_.groups() * weights_.steps(); ++i, tile += parts * sizeof(WeightTile)) {
    const float* g = gate + i % weights_.steps() * channels;
    for (int row = 0; row < 16; ++row, weight += 32) {
      double two;
      std::memcpy(&two, g + 2 * row, sizeof two);
      const __m512 scale = _mm512_castpd_ps(_mm512_set1_pd(two));
      const __m512 x = _mm512_mul_ps(_mm512_loadu_ps(weight), scale);
      const __m512 y = _mm512_mul_ps(_mm512_loadu_ps(weight + lanes), scale);
      store_whole(tile + row * 64, parts == 2 ? std::int64_t(sizeof(WeightTile)) : 0, x, y);
    }
  }
}

std::int64_t Convolution::units() const {
  return outputs_first_ ? (weights_.groups() + 1) / 2 : (std::int64_t(tiles_.size()) + quad - 1) / quad;
}

void Convolution::run(char* arena, std::int64_t begin, std::int64_t end) const {
  const nn::TileThread tiles_here(/*amx=*/true);
  alignas(64) float sums[quad * lanes * lanes];
  const auto tiles = std::int64_t(tiles_.size()), groups = weights_.groups();
  const auto group_pair = [&](std::int64_t first, std::int64_t group) {
    const int count = int(std::min(quad, tiles - first));
    if (group + 1 < groups) {
      compute(arena, first, std::min(count, 2), group, 2, sums);
      if (count > 2) compute(arena, first + 2, count - 2, group, 2, sums);
    } else {
      compute(arena, first, count, group, 1, sums);
    }
  };
  for (std::int64_t unit = begin; unit < end; ++unit) {
    if (outputs_first_) {
      for (std::int64_t first = 0; first < tiles; first += quad) group_pair(first, unit * 2);
    } else {
      for (std::int64_t group = 0; group < groups; group += 2) group_pair(unit * quad, group);
    }
  }
}

void Convolution::compute(char* arena, std::int64_t first_tile, int count, std::int64_t group, int groups,
                          float* sums) const {
  const char* from[quad];
  for (int i = 0; i < count; ++i) from[i] = arena + tiles_[std::size_t(first_tile + i)].in;
  const Pixels pixels{offsets_.data(), pixel_bytes_, in_.rest_bytes};
  const WeightsView weights =
      gate_ ? WeightsView(reinterpret_cast<const WeightTile*>(arena + gate_->weights), weights_) : weights_;
  multiply(weights, group, groups, pixels, from, count, sums);
  for (int i = 0; i < count; ++i) {
    finish(arena, tiles_[std::size_t(first_tile + i)], group, groups, sums + i * lanes * lanes * groups);
  }
}

void Convolution::finish(char* arena, const Tile& tile, std::int64_t group, int groups, const float* sums) const {
  const auto block = std::size_t(group / 2);
  const auto half = group % 2 * 32;
  const float* bias = bias_.data() + group * lanes;
  auto y = tile.y, x = tile.x;
  for (int i = 0; i < tile.pixels;) {
    const auto run = std::min<std::int64_t>(out_.width - x, tile.pixels - i);
    if (run > 0) {
      char* out = arena + out_.blocks[block] + out_.pixel(y, x) + half;
      const char* addend = addend_ ? arena + addend_->blocks[block] + addend_->pixel(y, x) + half : nullptr;
      const auto addend_rest = addend_ ? addend_->rest_bytes : 0;
      const float* from = sums + i * lanes * groups;
      if (out_.narrow) {
        finish_narrow(from, bias, activation_, out, out_.rest_bytes, run);
      } else if (groups == 2) {
        finish_pixels<2>(from, bias, activation_, addend, addend_rest, out, out_.rest_bytes, run);
      } else if (group % 2 == 0) {
        finish_pixels<1, true>(from, bias, activation_, addend, addend_rest, out, out_.rest_bytes, run);
      } else {
        finish_pixels<1>(from, bias, activation_, addend, addend_rest, out, out_.rest_bytes, run);
      }
    }
    i += int(row_pixels_ - x);
    x = 0;
    ++y;
  }
}

}  // namespace ichdet::native
