#include "transposed.hpp"

#include <algorithm>

#include "../nn/tile_product.hpp"
#include "scratch.hpp"

namespace ichdet::native {
namespace {

constexpr int quad = 4;

/// to[i * step] += from[i], 16 values each.
ICHDET_NATIVE void add(float* to, std::int64_t step, const float* from, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i, to += step * lanes, from += lanes) {
    _mm512_store_ps(to, _mm512_add_ps(_mm512_load_ps(to), _mm512_load_ps(from)));
  }
}

ICHDET_NATIVE void finish(const float* row, const float* bias, const Activation& activation, char* out,
                          const Kept& kept, std::int64_t count) {
  const __m512 b = _mm512_loadu_ps(bias);
  for (std::int64_t i = 0; i < count; ++i, row += lanes, out += 2 * kept.half()) {
    store_half(out, kept, apply(activation, _mm512_add_ps(_mm512_load_ps(row), b)));
  }
}

}  // namespace

TransposedConvolutions::TransposedConvolutions(const std::vector<Part>& parts, const Map& out,
                                               const Activation& activation, Format format)
    : bias_(out.blocks.size() * channels), out_(out), activation_(activation) {
  for (const auto& part : parts) {
    const auto inputs = std::int64_t(part.channel_of.size()), taps = part.shape.kernel[1] * part.shape.kernel[2];
    const auto first = part.first_place / lanes, last = (part.first_place + part.outputs - 1) / lanes;
    Kernel kernel{part.shape, part.in, first, last - first + 1, {}, part.in.blocks};
    kernel.weights = Weights(kernel.groups * taps * lanes, std::int64_t(part.in.blocks.size()), format);
    for (std::int64_t c = 0; c < inputs; ++c) {
      for (std::int64_t o = 0; o < part.outputs; ++o) {
        const auto place = part.first_place + o - first * lanes;
        const auto input = part.channel_of[std::size_t(c)];
        for (std::int64_t tap = 0; tap < taps; ++tap) {
          kernel.weights.set((place / lanes * taps + tap) * lanes + place % lanes, input / channels, input % channels,
                             part.weight[(c * part.outputs + o) * taps + tap]);
        }
      }
    }
    for (auto& offset : kernel.offsets) offset += part.in.pixel(0, 0, 0);
    if (part.bias != nullptr) std::copy_n(part.bias, part.outputs, bias_.begin() + part.first_place);
    kernels_.push_back(std::move(kernel));
  }
}

void TransposedConvolutions::run(char* arena, std::int64_t begin, std::int64_t end) const {
  const nn::TileThread tiles_here(nn::has_amx_bf16());
  const auto width = out_.width() * lanes, groups = std::int64_t(out_.blocks.size()) * 2;
  const auto row = scratch<float>(groups * width);
  for (std::int64_t y = begin; y < end; ++y) {
    std::fill_n(row.get(), groups * width, 0.f);
    for (const auto& kernel : kernels_) {
      const auto& s = kernel.shape;
      for (std::int64_t ky = 0; ky < s.kernel[1]; ++ky) {
        const auto from = y + s.padding[1] - ky * s.dilation[1];
        if (from < 0 || from % s.stride[1] != 0 || from / s.stride[1] >= kernel.in.height()) continue;
        add_row(kernel, arena, from / s.stride[1], ky, row.get());
      }
    }
    for (std::int64_t g = 0; g < groups; ++g) {
      char* to = arena + out_.blocks[std::size_t(g / 2)] + out_.pixel(0, y, 0) + g % 2 * out_.kept.half();
      finish(row.get() + g * width, bias_.data() + g * lanes, activation_, to, out_.kept, out_.width());
    }
  }
}

void TransposedConvolutions::add_row(const Kernel& kernel, const char* arena, std::int64_t y, std::int64_t ky,
                                     float* row) const {
  alignas(64) float sums[quad * lanes * lanes];
  const auto& s = kernel.shape;
  const Pixels pixels{kernel.offsets.data(), kernel.in.pixel_bytes(), kernel.in.kept.rest_bytes};
  for (std::int64_t g = 0; g < kernel.groups; ++g) {
    float* to = row + (kernel.first_group + g) * out_.width() * lanes;
    for (std::int64_t x = 0; x < kernel.in.width(); x += quad * lanes) {
      const auto count = std::min<std::int64_t>(kernel.in.width() - x, quad * lanes);
      const char* from[quad];
      for (int i = 0; i < quad; ++i)
        from[i] = arena + (y * kernel.in.pitch() + x + i * lanes) * kernel.in.pixel_bytes();
      for (std::int64_t kx = 0; kx < s.kernel[2]; ++kx) {
        const auto first = x * s.stride[2] - s.padding[2] + kx * s.dilation[2];  // where x's product goes
        const auto below = first < 0 ? (-first + s.stride[2] - 1) / s.stride[2] : 0;
        const auto within = first < out_.width() ? (out_.width() - first + s.stride[2] - 1) / s.stride[2] : 0;
        if (below >= std::min(count, within)) continue;
        multiply(kernel.weights, (g * s.kernel[1] + ky) * s.kernel[2] + kx, 1, pixels, from,
                 int((count + lanes - 1) / lanes), sums);
        add(to + (first + below * s.stride[2]) * lanes, s.stride[2], sums + below * lanes,
            std::min(count, within) - below);
      }
    }
  }
}

}  // namespace ichdet::native
