#include "row_product.hpp"

#include <ATen/Functions.h>

#include <algorithm>
#include <array>
#include <memory>

#include "tiles.hpp"

namespace ichdet::native {
namespace {

constexpr int quad = 4;  // tiles of rows that are multiplied together

/// The first outputs of `groups` groups of 16 are at `to`, a row every `step` floats.
void copy(const float* sums, std::int64_t rows, std::int64_t groups, std::int64_t outputs, float* to,
          std::int64_t step) {
  for (std::int64_t i = 0; i < rows; ++i) std::copy_n(sums + i * groups * lanes, outputs, to + i * step);
}

}  // namespace

std::function<at::Tensor(const at::Tensor&)> row_product(const at::Tensor& b) {
  const auto values = b.contiguous();
  const auto in = values.size(0), out = values.size(1), steps = (in + channels - 1) / channels;
  auto weights = std::make_shared<Weights>(out, steps, Format::float32);
  for (std::int64_t i = 0; i < values.numel(); ++i) {
    weights->set(i % out, i / out / channels, i / out % channels, values.data_ptr<float>()[i]);
  }
  std::vector<std::int64_t> offsets;
  for (std::int64_t step = 0; step < steps; ++step) offsets.push_back(step * channels * std::int64_t(sizeof(float)));
  return [weights, offsets, in, out](const at::Tensor& x) {
    const auto rows = x.size(0), row_bytes = in * std::int64_t(sizeof(float));
    auto y = at::empty({rows, out});
    const auto* from = static_cast<const char*>(x.const_data_ptr());
    alignas(64) float sums[2 * quad * lanes * lanes];
    for (std::int64_t first = 0; first < rows; first += quad * lanes) {
      std::array<const char*, quad> tiles{};
      std::array<int, quad> wanted{};
      int count = 0;
      for (auto row = first; count < quad && row < rows; row += lanes, ++count) {
        tiles[std::size_t(count)] = from + row * row_bytes;
        wanted[std::size_t(count)] = int(std::min(lanes, rows - row));
      }
      const Pixels pixels{offsets.data(), row_bytes, 0, wanted.data()};
      const auto here = std::min(quad * lanes, rows - first);
      for (std::int64_t group = 0; group < weights->groups(); group += 2) {
        const int groups = group + 1 < weights->groups() ? 2 : 1;
        multiply_vectors(*weights, group, groups, pixels, tiles.data(), count, sums);
        copy(sums, here, groups, std::min(groups * lanes, out - group * lanes),
             y.data_ptr<float>() + first * out + group * lanes, out);
      }
    }
    return y;
  };
}

}  // namespace ichdet::native
