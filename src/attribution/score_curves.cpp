#include "ichdet/attribution/score_curves.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/amin.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/where.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "ichdet/core/error.hpp"

namespace ichdet::attribution {
namespace {

void check_input(const at::Tensor& input) {
  if (input.dim() == 4 || input.dim() == 5) return;
  throw Error::mismatch(ErrorCode::shape, "input", "(image, channel, y, x) or (image, channel, z, y, x)",
                        c10::str(input.sizes()));
}

/// (to, from): what each pixel along an axis becomes of those there.
at::Tensor gaussian_weights(std::int64_t size, double sigma) {
  const auto radius = std::int64_t(std::ceil(4 * sigma));
  std::vector<double> weights(std::size_t(size * size));
  double sum = 0;
  for (auto step = -radius; step <= radius; ++step) sum += std::exp(-0.5 * double(step * step) / (sigma * sigma));
  for (std::int64_t to = 0; to < size; ++to) {
    for (auto step = -radius; step <= radius; ++step) {
      const auto from = std::clamp<std::int64_t>(to + step, 0, size - 1);
      weights[std::size_t(to * size + from)] += std::exp(-0.5 * double(step * step) / (sigma * sigma)) / sum;
    }
  }
  return at::tensor(weights, at::kDouble).view({size, size});
}

/// Where a map's most important pixels are, for each share of them: (step, pixel), none first, all last.
struct Order {
  std::vector<double> share;
  at::Tensor inside;
};

Order order_of(const at::Tensor& map, std::int64_t steps) {
  const auto values = map.flatten().to(at::kDouble);
  const auto count = values.numel();
  const auto sorted = std::get<0>(values.sort(0, /*descending=*/true));
  const auto* first = sorted.data_ptr<double>();
  Order order;
  std::vector<at::Tensor> inside;
  const auto add = [&](std::int64_t pixels, const at::Tensor& where) {
    if (!inside.empty() && double(pixels) / double(count) <= order.share.back()) return;
    order.share.push_back(double(pixels) / double(count));
    inside.push_back(where);
  };
  add(0, values > first[0]);
  for (std::int64_t step = 1; step <= steps; ++step) {
    const double cut = first[std::max<std::int64_t>(1, step * count / steps) - 1];
    const auto [equal, end] = std::equal_range(first, first + count, cut, std::greater<>());
    if (end - equal > 1) add(equal - first, values > cut);  // what lies before a plateau
    add(end - first, values >= cut);
  }
  order.inside = at::stack(inside);
  return order;
}

void check(const at::Tensor& input, const at::Tensor& maps, const at::Tensor& substitute, std::int64_t steps) {
  check_input(input);
  if (substitute.sizes() != input.sizes()) {
    throw Error::mismatch(ErrorCode::shape, "substitute", "the input's shape " + c10::str(input.sizes()),
                          c10::str(substitute.sizes()));
  }
  auto expected = input.sizes().vec();
  expected.erase(expected.begin() + 1);
  if (maps.sizes() != at::IntArrayRef(expected) || !at::isfinite(maps).all().item<bool>()) {
    throw Error::mismatch(ErrorCode::shape, "maps", c10::str(at::IntArrayRef(expected)) + ", all values finite",
                          c10::str(maps.sizes()));
  }
  if (steps < 1) throw Error::mismatch(ErrorCode::options, "steps", "1 or more", std::to_string(steps));
}

/// Scores of `important` where a map is high and `others` elsewhere.
std::vector<ScoreCurve> curves(const Explained& explained, const at::Tensor& important, const at::Tensor& others,
                               const at::Tensor& maps, const ScoreCurveOptions& options) {
  const auto batch = std::max<std::int64_t>(1, explained.batch);  // scores_of refuses less
  std::vector<ScoreCurve> found;
  for (std::int64_t i = 0; i < important.size(0); ++i) {
    const auto order = order_of(maps[i], options.steps);
    std::vector<at::Tensor> scores;
    for (std::int64_t first = 0; first < order.inside.size(0); first += batch) {
      const auto count = std::min(batch, order.inside.size(0) - first);
      auto shape = important.sizes().vec();
      shape[0] = count;
      shape[1] = 1;
      const auto inside = order.inside.narrow(0, first, count).view(shape);
      scores.push_back(scores_of(explained, at::where(inside, important.narrow(0, i, 1), others.narrow(0, i, 1))));
    }
    const auto all = at::cat(scores).contiguous();
    ScoreCurve curve{order.share, {all.data_ptr<double>(), all.data_ptr<double>() + all.numel()}, 0};
    curve.area = trapezoids(curve.share, curve.score);
    found.push_back(std::move(curve));
  }
  return found;
}

}  // namespace

at::Tensor blurred(const at::Tensor& input, double sigma) {
  check_input(input);
  if (!(sigma > 0) || !std::isfinite(sigma)) {
    throw Error::mismatch(ErrorCode::options, "sigma", "a number above 0", std::to_string(sigma));
  }
  auto values = input.to(at::kDouble);
  for (std::int64_t axis = 2; axis < input.dim(); ++axis) {
    const auto weights = gaussian_weights(input.size(axis), sigma);
    values = values.movedim(axis, -1).matmul(weights.mT()).movedim(-1, axis);
  }
  return values.to(input.scalar_type()).contiguous();
}

at::Tensor blank(const at::Tensor& input) {
  check_input(input);
  std::vector<std::int64_t> axes;
  for (std::int64_t axis = 2; axis < input.dim(); ++axis) axes.push_back(axis);
  return input.amin(axes, /*keepdim=*/true).expand_as(input).contiguous();
}

std::vector<ScoreCurve> insertion_curves(const Explained& explained, const at::Tensor& input, const at::Tensor& maps,
                                         const at::Tensor& substitute, const ScoreCurveOptions& options) {
  check(input, maps, substitute, options.steps);
  return curves(explained, input, substitute, maps, options);
}

std::vector<ScoreCurve> deletion_curves(const Explained& explained, const at::Tensor& input, const at::Tensor& maps,
                                        const at::Tensor& substitute, const ScoreCurveOptions& options) {
  check(input, maps, substitute, options.steps);
  return curves(explained, substitute, input, maps, options);
}

double trapezoids(const std::vector<double>& x, const std::vector<double>& y) {
  double area = 0;
  for (std::size_t i = 1; i < x.size(); ++i) area += (x[i] - x[i - 1]) * (y[i] + y[i - 1]) / 2;
  return area;
}

}  // namespace ichdet::attribution
