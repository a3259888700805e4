#include "tiles.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "../nn/tile_product.hpp"

namespace ichdet::native {
namespace {

// GCC's intrinsics take literal tile numbers alone.
template <int tile>
[[gnu::always_inline]] inline void zero() {
  asm volatile("tilezero %%tmm%c0" ::"i"(tile));
}
template <int tile>
[[gnu::always_inline]] inline void load(const void* from, std::int64_t stride) {
  asm volatile("tileloadd (%0,%1,1), %%tmm%c2" ::"r"(from), "r"(stride), "i"(tile) : "memory");
}
template <int tile>
[[gnu::always_inline]] inline void store(void* to, std::int64_t stride) {
  asm volatile("tilestored %%tmm%c2, (%0,%1,1)" ::"r"(to), "r"(stride), "i"(tile) : "memory");
}
template <int sum, int pixels, int weights>
[[gnu::always_inline]] inline void add_product() {
  asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(sum), "i"(pixels), "i"(weights));
}

template <int... i>
[[gnu::always_inline]] inline void zero_all(std::integer_sequence<int, i...>) {
  (zero<i>(), ...);
}

constexpr int w0 = 6, w1 = 7;

/// Two groups: sums in tiles 2 p and 2 p + 1, pixels in 4 and 5.
template <int count, bool split>
void multiply_two(const WeightTile* upper, const WeightTile* lower, const Pixels& pixels, const char* const* tiles,
                  std::int64_t steps, float* sums) {
  zero_all(std::make_integer_sequence<int, 2 * count>());
  const char *x0 = tiles[0], *x1 = tiles[count - 1];
  for (std::int64_t step = 0; step < steps; ++step) {
    const auto offset = pixels.offsets[step];
    load<4>(x0 + offset, pixels.pixel_bytes);
    load<w0>(upper, 64);
    add_product<0, 4, w0>();
    if constexpr (count == 2) {
      load<5>(x1 + offset, pixels.pixel_bytes);
      add_product<2, 5, w0>();
    }
    load<w1>(lower, 64);
    add_product<1, 4, w1>();
    if constexpr (count == 2) add_product<3, 5, w1>();
    if constexpr (split) {
      load<w0>(upper + 1, 64);
      add_product<0, 4, w0>();
      if constexpr (count == 2) add_product<2, 5, w0>();
      load<w1>(lower + 1, 64);
      add_product<1, 4, w1>();
      if constexpr (count == 2) add_product<3, 5, w1>();
      load<4>(x0 + offset + pixels.rest_bytes, pixels.pixel_bytes);
      load<w0>(upper, 64);
      add_product<0, 4, w0>();
      if constexpr (count == 2) {
        load<5>(x1 + offset + pixels.rest_bytes, pixels.pixel_bytes);
        add_product<2, 5, w0>();
      }
      load<w1>(lower, 64);
      add_product<1, 4, w1>();
      if constexpr (count == 2) add_product<3, 5, w1>();
    }
    upper += split ? 2 : 1;
    lower += split ? 2 : 1;
  }
  store<0>(sums, 128);
  store<1>(sums + 16, 128);
  if constexpr (count == 2) {
    store<2>(sums + 512, 128);
    store<3>(sums + 528, 128);
  }
}

/// One group: sums in tiles 0 to 3, pixels in 4 and 5 in turn.
template <int count, bool split>
void multiply_one(const WeightTile* weights, const Pixels& pixels, const char* const* x, std::int64_t steps,
                  float* sums) {
  zero_all(std::make_integer_sequence<int, count>());
  for (std::int64_t step = 0; step < steps; ++step) {
    const auto offset = pixels.offsets[step];
    load<w0>(weights, 64);
    if constexpr (split) load<w1>(weights + 1, 64);
    const auto add = [&]<int i>(std::integral_constant<int, i>) __attribute__((always_inline)) {
      load<4>(x[i] + offset, pixels.pixel_bytes);
      add_product<i, 4, w0>();
      if constexpr (split) {
        add_product<i, 4, w1>();
        load<5>(x[i] + offset + pixels.rest_bytes, pixels.pixel_bytes);
        add_product<i, 5, w0>();
      }
    };
    add(std::integral_constant<int, 0>());
    if constexpr (count > 1) add(std::integral_constant<int, 1>());
    if constexpr (count > 2) add(std::integral_constant<int, 2>());
    if constexpr (count > 3) add(std::integral_constant<int, 3>());
    weights += split ? 2 : 1;
  }
  store<0>(sums, 64);
  if constexpr (count > 1) store<1>(sums + 256, 64);
  if constexpr (count > 2) store<2>(sums + 512, 64);
  if constexpr (count > 3) store<3>(sums + 768, 64);
}

template <bool split>
void multiply_parts(const WeightsView& weights, std::int64_t group, int groups, const Pixels& pixels,
                    const char* const* tiles, int count, float* sums) {
  const auto* w = weights.group(group);
  const auto steps = weights.steps;
  if (groups == 2) {
    const auto* lower = weights.group(group + 1);
    return count == 2 ? multiply_two<2, split>(w, lower, pixels, tiles, steps, sums)
                      : multiply_two<1, split>(w, lower, pixels, tiles, steps, sums);
  }
  switch (count) {
    case 1: return multiply_one<1, split>(w, pixels, tiles, steps, sums);
    case 2: return multiply_one<2, split>(w, pixels, tiles, steps, sums);
    case 3: return multiply_one<3, split>(w, pixels, tiles, steps, sums);
    default: return multiply_one<4, split>(w, pixels, tiles, steps, sums);
  }
}

}  // namespace

Weights::Weights(std::int64_t outputs, std::int64_t steps, Format format)
    : groups_((outputs + lanes - 1) / lanes),
      steps_(steps),
      format_(format),
      used_(std::size_t(steps), 4),
      tiles_(std::size_t(groups_ * steps_ * parts_of(format))) {}

void Weights::set(std::int64_t output, std::int64_t step, std::int64_t channel, float value) {
  auto* tile = reinterpret_cast<char*>(&tiles_[std::size_t((output / lanes * steps_ + step) * parts_of(format_))]);
  const auto put = [&](auto number, std::int64_t part) {
    const auto place = place_in_tile(format_, output, channel) * std::int64_t(sizeof number);
    std::memcpy(tile + part * std::int64_t(sizeof(WeightTile)) + place, &number, sizeof number);
  };
  use(step, channel);
  if (format_ == Format::float32) return put(value, 0);
  const auto rounded = nn::to_bf16(value);
  put(rounded, 0);
  if (format_ == Format::split) put(nn::to_bf16(value - nn::from_bf16(rounded)), 1);
}

void Weights::set_group(std::int64_t group, std::int64_t step, std::int64_t channel, const float* values) {
  use(step, channel);
  auto* tile = reinterpret_cast<char*>(&tiles_[std::size_t((group * steps_ + step) * 2)]);
  std::memcpy(tile + channel * lanes * std::int64_t(sizeof(float)), values, lanes * sizeof(float));
}

void Weights::use(std::int64_t step, std::int64_t channel) {
  auto& used = used_[std::size_t(step)];
  used = std::max(used, int(format_ == Format::float32 ? channel : channel / 2) / 4 * 4 + 4);
}

bool on_amx(Format format) { return format != Format::float32 && nn::has_amx_bf16(); }

void multiply(const WeightsView& weights, std::int64_t group, int groups, const Pixels& pixels,
              const char* const* tiles, int count, float* sums) {
  if (!on_amx(weights.format)) {
    multiply_vectors(weights, group, groups, pixels, tiles, count, sums);
  } else if (weights.format == Format::split) {
    multiply_parts<true>(weights, group, groups, pixels, tiles, count, sums);
  } else {
    multiply_parts<false>(weights, group, groups, pixels, tiles, count, sums);
  }
}

std::vector<std::int64_t> row_offsets(std::int64_t steps) {
  std::vector<std::int64_t> offsets;
  for (std::int64_t step = 0; step < steps; ++step) offsets.push_back(step * channels * std::int64_t(sizeof(float)));
  return offsets;
}

void multiply_rows(const Weights& weights, const std::vector<std::int64_t>& offsets, std::int64_t group, int groups,
                   const float* rows, std::int64_t length, std::int64_t count, float* sums) {
  std::array<const char*, 8> tiles{};
  std::array<int, 8> wanted{};
  const auto together = (count + lanes - 1) / lanes;
  for (std::int64_t i = 0; i < together; ++i) {
    tiles[std::size_t(i)] = reinterpret_cast<const char*>(rows + i * lanes * length);
    wanted[std::size_t(i)] = int(std::min(lanes, count - i * lanes));
  }
  const Pixels pixels{offsets.data(), length * std::int64_t(sizeof(float)), 0, wanted.data()};
  multiply_vectors(weights, group, groups, pixels, tiles.data(), int(together), sums);
}

}  // namespace ichdet::native
