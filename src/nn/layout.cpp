#include "layout.hpp"

#include <ATen/Functions.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <bit>
#include <vector>

#include "kernels.hpp"

namespace ichdet::nn {
namespace {

constexpr std::int64_t tile = 64, grain = 64;  // voxels that are turned at once, and tiles of one task

ICHDET_SIMD void widen_bits(const std::uint16_t* __restrict x, float* __restrict out, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) out[i] = std::bit_cast<float>(std::uint32_t(x[i]) << 16);
}

ICHDET_SIMD void narrow_bits(const float* __restrict x, std::uint16_t* __restrict out, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) {
    const auto bits = std::bit_cast<std::uint32_t>(x[i]);
    const auto rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
    out[i] = std::uint16_t(x[i] == x[i] ? rounded : 0x7fc0u);
  }
}

/// Calls body(sample, first voxel, number of voxels) for pieces of at most `tile` voxels.
template <class Body>
void for_tiles(std::int64_t samples, std::int64_t voxels, Body&& body) {
  const auto tiles = (voxels + tile - 1) / tile;
  at::parallel_for(0, samples * tiles, grain, [&](std::int64_t begin, std::int64_t end) {
    for (auto i = begin; i < end; ++i) {
      const auto first = i % tiles * tile;
      body(i / tiles, first, std::min(tile, voxels - first));
    }
  });
}

std::int64_t voxels_of(const at::Tensor& x) { return x.numel() == 0 ? 0 : x.numel() / x.size(0) / x.size(1); }

at::MemoryFormat format_of(const at::Tensor& x) {
  return x.dim() == 4   ? at::MemoryFormat::ChannelsLast
         : x.dim() == 5 ? at::MemoryFormat::ChannelsLast3d
                        : at::MemoryFormat::Contiguous;
}

template <class T>
void turn_in(const at::Tensor& x, at::Tensor& out) {
  const auto voxels = voxels_of(x), channels = x.size(1);
  for_tiles(x.size(0), voxels, [&](std::int64_t sample, std::int64_t first, std::int64_t count) {
    const float* from = x.const_data_ptr<float>() + sample * channels * voxels + first;
    T* to = out.mutable_data_ptr<T>() + (sample * voxels + first) * channels;
    std::vector<float> turned(std::size_t(count * channels));
    for (std::int64_t c = 0; c < channels; ++c) {
      for (std::int64_t v = 0; v < count; ++v) turned[std::size_t(v * channels + c)] = from[c * voxels + v];
    }
    if constexpr (std::is_same_v<T, float>) {
      std::copy(turned.begin(), turned.end(), to);
    } else {
      narrow(turned.data(), to, count * channels);
    }
  });
}

template <class T>
void turn_out(const at::Tensor& x, at::Tensor& out) {
  const auto voxels = voxels_of(x), channels = x.size(1);
  for_tiles(x.size(0), voxels, [&](std::int64_t sample, std::int64_t first, std::int64_t count) {
    const T* from = x.const_data_ptr<T>() + (sample * voxels + first) * channels;
    float* to = out.mutable_data_ptr<float>() + sample * channels * voxels + first;
    std::vector<float> wide(std::size_t(count * channels));
    if constexpr (std::is_same_v<T, float>) {
      std::copy_n(from, count * channels, wide.data());
    } else {
      widen(from, wide.data(), count * channels);
    }
    for (std::int64_t c = 0; c < channels; ++c) {
      for (std::int64_t v = 0; v < count; ++v) to[c * voxels + v] = wide[std::size_t(v * channels + c)];
    }
  });
}

}  // namespace

void widen(const at::BFloat16* x, float* out, std::int64_t n) {
  widen_bits(reinterpret_cast<const std::uint16_t*>(x), out, n);
}

void narrow(const float* x, at::BFloat16* out, std::int64_t n) {
  narrow_bits(x, reinterpret_cast<std::uint16_t*>(out), n);
}

bool is_channels_last(const at::Tensor& x) {
  const bool known = x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16;
  return known && x.is_cpu() && (x.dim() == 4 || x.dim() == 5) && x.is_contiguous(format_of(x));
}

at::Tensor to_channels_last(const at::Tensor& x, at::ScalarType type) {
  const auto format = format_of(x);
  if (format == at::MemoryFormat::Contiguous) return x.to(type);
  const bool turns = x.is_cpu() && x.scalar_type() == at::kFloat && x.is_contiguous() && !x.is_contiguous(format) &&
                     (type == at::kFloat || type == at::kBFloat16);
  if (!turns) return x.to(type, false, false, format).contiguous(format);
  auto out = at::empty(x.sizes(), x.options().dtype(type).memory_format(format));
  if (type == at::kFloat) {
    turn_in<float>(x, out);
  } else {
    turn_in<at::BFloat16>(x, out);
  }
  return out;
}

at::Tensor to_plain(const at::Tensor& x) {
  if (!is_channels_last(x) || x.is_contiguous()) return x.to(at::kFloat).contiguous();
  auto out = at::empty(x.sizes(), x.options().dtype(at::kFloat));
  if (x.scalar_type() == at::kFloat) {
    turn_out<float>(x, out);
  } else {
    turn_out<at::BFloat16>(x, out);
  }
  return out;
}

}  // namespace ichdet::nn
