#include "row_product.hpp"

#include <ATen/Functions.h>

#include <algorithm>
#include <memory>

#include "tiles.hpp"

namespace ichdet::native {
namespace {

constexpr std::int64_t together = 64;  // rows

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
  return [weights, offsets = row_offsets(steps), in, out](const at::Tensor& x) {
    const auto rows = x.size(0);
    auto y = at::empty({rows, out});
    alignas(64) float sums[2 * together * lanes];
    for (std::int64_t first = 0; first < rows; first += together) {
      const auto count = std::min(together, rows - first);
      for (std::int64_t group = 0; group < weights->groups(); group += 2) {
        const int groups = group + 1 < weights->groups() ? 2 : 1;
        multiply_rows(*weights, offsets, group, groups, x.const_data_ptr<float>() + first * in, in, count, sums);
        copy(sums, count, groups, std::min(groups * lanes, out - group * lanes),
             y.data_ptr<float>() + first * out + group * lanes, out);
      }
    }
    return y;
  };
}

}  // namespace ichdet::native
