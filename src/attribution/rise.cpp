#include "ichdet/attribution/rise.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/zeros.h>

#include <algorithm>

#include "ichdet/core/error.hpp"
#include "ichdet/phantom/random.hpp"
#include "images.hpp"

namespace ichdet::attribution {
namespace {

/// (size, cells): rows of the enlargement of an axis from `cells` to (cells + 1) * step, from row `offset` on.
at::Tensor enlargement(std::int64_t cells, std::int64_t step, std::int64_t size, std::int64_t offset) {
  auto matrix = at::zeros({size, cells}, at::kFloat);
  auto weights = matrix.accessor<float, 2>();
  const double scale = double(cells) / double((cells + 1) * step);
  for (std::int64_t i = 0; i < size; ++i) {
    const double place = std::clamp((double(i + offset) + 0.5) * scale - 0.5, 0.0, double(cells - 1));
    const auto below = std::int64_t(place);
    const auto share = float(place - double(below));
    weights[i][below] += 1 - share;
    weights[i][std::min(below + 1, cells - 1)] += share;
  }
  return matrix;
}

at::Tensor one_mask(at::IntArrayRef size, at::IntArrayRef grid, std::int64_t number, const RiseOptions& options) {
  auto uniform = [&, index = std::uint64_t(0)]() mutable {
    return counter_uniform(options.seed, std::uint64_t(number), index++);
  };
  auto mask = at::empty(grid, at::kFloat);
  std::generate_n(mask.data_ptr<float>(), mask.numel(), [&] { return float(uniform() < options.probability); });
  for (std::int64_t axis = 0; axis < mask.dim(); ++axis) {
    const auto i = std::size_t(axis);
    const auto step = (size[i] + grid[i] - 1) / grid[i];
    const auto offset = std::int64_t(uniform() * double(step));
    mask = at::matmul(mask.movedim(axis, -1), enlargement(grid[i], step, size[i], offset).t()).movedim(-1, axis);
  }
  return mask;
}

void check(const RiseOptions& options) {
  if (options.masks < 1) {
    throw Error::mismatch(ErrorCode::options, "masks", "1 or more", std::to_string(options.masks));
  }
  if (!(options.probability > 0 && options.probability <= 1)) {
    throw Error::mismatch(ErrorCode::options, "probability", "above 0, at most 1", std::to_string(options.probability));
  }
}

}  // namespace

at::Tensor rise_masks(at::IntArrayRef size, std::int64_t first, std::int64_t count, const RiseOptions& options) {
  check(options);
  const auto grid = for_each_axis("grid", options.grid, std::int64_t(size.size()));
  auto shape = size.vec();
  shape.insert(shape.begin(), count);
  auto masks = at::empty(shape, at::kFloat);
  for (std::int64_t i = 0; i < count; ++i) masks[i].copy_(one_mask(size, grid, first + i, options));
  return masks;
}

at::Tensor rise(const Explained& explained, const at::Tensor& input, const at::Tensor& baseline,
                const RiseOptions& options, const Progress& progress) {
  check(options);
  const auto x = images(input), hidden = expanded_baseline(baseline, x);
  const auto batch = std::max<std::int64_t>(explained.batch, 1);
  auto map = at::zeros(x.select(1, 0).sizes(), at::kDouble);
  for (std::int64_t first = 0; first < options.masks; first += batch) {
    progress("rise", double(first) / double(options.masks));
    const auto masks = rise_masks(x.sizes().slice(2), first, std::min(batch, options.masks - first), options);
    const auto seen = masks.unsqueeze(1).to(x.options());
    for (std::int64_t image = 0; image < x.size(0); ++image) {
      const auto scores = scores_of(explained, hidden[image] + seen * (x[image] - hidden[image]));
      map[image] += at::matmul(scores.to(at::kFloat), masks.flatten(1)).view_as(map[image]);
    }
  }
  progress("rise", 1);
  return (map / (double(options.masks) * options.probability)).to(x.options());
}

at::Tensor rise(const Explained& explained, const at::Tensor& input, Baseline baseline, const RiseOptions& options,
                const Progress& progress) {
  return rise(explained, input, baseline_of(input, baseline), options, progress);
}

}  // namespace ichdet::attribution
