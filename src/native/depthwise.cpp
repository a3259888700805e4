#include "depthwise.hpp"

#include <algorithm>

#include "../nn/tile_product.hpp"
#include "scratch.hpp"

namespace ichdet::native {
namespace {

constexpr std::int64_t band_rows = 64;
constexpr int together = 4;  // output pixels

struct RowOptions {
  Shape shape;
  const float* weight;  ///< (tap, 32), `tap_step` floats apart
  std::int64_t tap_step;
  const float* bias;
  Activation activation;
};

/// `count` (up to 4) pixels of 32 channels.
template <int count>
ICHDET_VECTOR void pixels(const RowOptions& o, const float* const* rows, std::int64_t x, __m512 (&sum)[2 * together]) {
  const __m512 b0 = _mm512_loadu_ps(o.bias), b1 = _mm512_loadu_ps(o.bias + lanes);
  for (int i = 0; i < count; ++i) {
    sum[2 * i] = b0;
    sum[2 * i + 1] = b1;
  }
  const auto step = o.shape.stride[2] * channels;
  const float* w = o.weight;
  for (std::int64_t ky = 0; ky < o.shape.kernel[1]; ++ky) {
    const float* from = rows[ky] + x * step;
    for (std::int64_t kx = 0; kx < o.shape.kernel[2]; ++kx, w += o.tap_step, from += o.shape.dilation[2] * channels) {
      const __m512 w0 = _mm512_loadu_ps(w), w1 = _mm512_loadu_ps(w + lanes);
      for (int i = 0; i < count; ++i) {
        sum[2 * i] = _mm512_fmadd_ps(_mm512_load_ps(from + i * step), w0, sum[2 * i]);
        sum[2 * i + 1] = _mm512_fmadd_ps(_mm512_load_ps(from + i * step + lanes), w1, sum[2 * i + 1]);
      }
    }
  }
}

ICHDET_VECTOR void finish(const RowOptions& o, __m512 x, __m512 y, char* out, const Kept& kept, __m512& total0,
                          __m512& total1) {
  x = apply(o.activation, x);
  y = apply(o.activation, y);
  total0 = _mm512_add_ps(total0, x);
  total1 = _mm512_add_ps(total1, y);
  store_whole(out, kept, x, y);
}

ICHDET_NATIVE void convolve_row(const RowOptions& o, const float* const* rows, std::int64_t width, char* out,
                                const Kept& kept, float* totals) {
  __m512 total0 = _mm512_load_ps(totals), total1 = _mm512_load_ps(totals + lanes), sum[2 * together];
  std::int64_t x = 0;
  for (; x + together <= width; x += together) {
    pixels<together>(o, rows, x, sum);
    for (int i = 0; i < together; ++i) {
      finish(o, sum[2 * i], sum[2 * i + 1], out + (x + i) * 2 * kept.half(), kept, total0, total1);
    }
  }
  for (; x < width; ++x) {
    pixels<1>(o, rows, x, sum);
    finish(o, sum[0], sum[1], out + x * 2 * kept.half(), kept, total0, total1);
  }
  _mm512_store_ps(totals, total0);
  _mm512_store_ps(totals + lanes, total1);
}

ICHDET_NATIVE void widen_row(const char* from, const Kept& kept, std::int64_t count, float* row) {
  for (std::int64_t i = 0; i < count; ++i, from += 2 * kept.half(), row += channels) {
    _mm512_store_ps(row, load_half(from, kept));
    _mm512_store_ps(row + lanes, load_half(from + kept.half(), kept));
  }
}

ICHDET_NATIVE void activate_row(const float* bias, const Activation& activation, std::int64_t count, float* row) {
  const __m512 b0 = _mm512_loadu_ps(bias), b1 = _mm512_loadu_ps(bias + lanes);
  for (std::int64_t i = 0; i < count; ++i, row += channels) {
    _mm512_store_ps(row, apply(activation, _mm512_add_ps(_mm512_load_ps(row), b0)));
    _mm512_store_ps(row + lanes, apply(activation, _mm512_add_ps(_mm512_load_ps(row + lanes), b1)));
  }
}

}  // namespace

/// The input's rows of one block that an output row reads, in a ring, with zeros on both sides.
struct Depthwise::Rows {
  std::int64_t left, width, held;
  std::unique_ptr<float[], Free> memory, zeros;
  std::vector<std::int64_t> holds;  ///< which row each place of the ring has, or -1

  Rows(const Shape& s, const Map& in, const Map& out) {
    left = s.padding[2];
    // A tile may write 15 pixels beyond the row.
    width = std::max((out.width() - 1) * s.stride[2] + (s.kernel[2] - 1) * s.dilation[2] + 1,
                     left + (in.width() + lanes - 1) / lanes * lanes);
    held = (s.kernel[1] - 1) * s.dilation[1] + 1;
    memory = scratch<float>(held * width * channels);
    zeros = scratch<float>(width * channels);
    std::fill_n(memory.get(), held * width * channels, 0.f);
    std::fill_n(zeros.get(), width * channels, 0.f);
    holds.assign(std::size_t(held), -1);
  }
  float* place(std::int64_t y) const { return memory.get() + y % held * width * channels; }
};

Depthwise::Depthwise(Options options) : options_(std::move(options)) {
  if (!options_.expansion) return;
  const auto& layer = *options_.expansion;
  const auto places = std::int64_t(options_.out.blocks.size()) * channels;
  expansion_ = Weights(places, std::int64_t(layer.in.blocks.size()), layer.format);
  const auto inputs = std::int64_t(layer.channel_of.size());
  for (std::int64_t o = 0; o < layer.outputs; ++o) {
    for (std::int64_t c = 0; c < inputs; ++c) {
      const auto place = layer.channel_of[std::size_t(c)];
      expansion_.set(o, place / channels, place % channels, layer.weight[o * inputs + c]);
    }
  }
  expansion_bias_.assign(std::size_t(places), 0);
  if (layer.bias != nullptr) std::copy_n(layer.bias, layer.outputs, expansion_bias_.begin());
  for (const auto block : layer.in.blocks) offsets_.push_back(block + layer.in.pixel(0, 0, 0));
}

std::int64_t Depthwise::bands(std::int64_t rows) { return (rows + band_rows - 1) / band_rows; }

std::int64_t Depthwise::units() const {
  return bands(options_.out.height()) * std::int64_t(options_.out.blocks.size());
}

void Depthwise::fill(const char* arena, std::int64_t block, std::int64_t y, float* row) const {
  const auto& in = options_.in;
  if (!options_.expansion) {
    return widen_row(arena + in.blocks[std::size_t(block)] + in.pixel(0, y, 0), in.kept, in.width(), row);
  }
  for (std::int64_t x = 0; x < in.width(); x += 2 * lanes) {
    const auto count = std::min(in.width() - x, 2 * lanes);
    const char* from[2];
    int wanted[2];
    for (int i = 0; i < 2; ++i) {
      from[i] = arena + (y * in.pitch() + x + i * lanes) * in.pixel_bytes();
      wanted[i] = int(std::min(lanes, count - i * lanes));
    }
    const Pixels pixels{offsets_.data(), in.pixel_bytes(), in.kept.rest_bytes, wanted};
    multiply(expansion_, 2 * block, 2, pixels, from, count > lanes ? 2 : 1, row + x * channels);
    activate_row(expansion_bias_.data() + block * channels, options_.expansion->activation, count, row + x * channels);
  }
  std::fill_n(row + in.width() * channels, ((in.width() + lanes - 1) / lanes * lanes - in.width()) * channels, 0.f);
}

void Depthwise::run(char* arena, std::int64_t begin, std::int64_t end) const {
  const nn::TileThread tiles_here(nn::has_amx_bf16());
  const auto& [shape, in, out, weight, bias, activation, expansion, sums] = options_;
  const auto places = std::int64_t(out.blocks.size()) * channels;
  Rows rows(shape, in, out);
  std::vector<const float*> read(std::size_t(shape.kernel[1]));
  for (std::int64_t unit = begin; unit < end; ++unit) {
    const auto block = unit / bands(out.height()), band = unit % bands(out.height());
    const RowOptions row{shape, weight.data() + block * channels, places, bias.data() + block * channels, activation};
    std::fill(rows.holds.begin(), rows.holds.end(), -1);
    alignas(64) float totals[channels] = {};
    for (std::int64_t y = band * band_rows; y < std::min(out.height(), (band + 1) * band_rows); ++y) {
      for (std::int64_t ky = 0; ky < shape.kernel[1]; ++ky) {
        const auto from = y * shape.stride[1] - shape.padding[1] + ky * shape.dilation[1];
        if (from < 0 || from >= in.height()) {
          read[std::size_t(ky)] = rows.zeros.get();
          continue;
        }
        auto& holds = rows.holds[std::size_t(from % rows.held)];
        if (holds != from) {
          fill(arena, block, from, rows.place(from) + rows.left * channels);
          holds = from;
        }
        read[std::size_t(ky)] = rows.place(from);
      }
      convolve_row(row, read.data(), out.width(), arena + out.blocks[std::size_t(block)] + out.pixel(0, y, 0), out.kept,
                   totals);
    }
    if (sums) {
      auto* to = reinterpret_cast<float*>(arena + *sums) + band * places + block * channels;
      std::copy_n(totals, channels, to);
    }
  }
}

}  // namespace ichdet::native
