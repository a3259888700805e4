#include "resize_map.hpp"

#include <ATen/ops/linalg_solve.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>

// Both ways of resizing are linear and act on one axis at a time: they are matrices (to, from), so that autograd knows
// their derivatives. Maps are small, and so are these.
namespace ichdet::attribution {
namespace {

/// Half pixel centres; beyond the outermost ones their values.
at::Tensor linear_matrix(std::int64_t from, std::int64_t to) {
  auto matrix = at::zeros({to, from}, at::kDouble);
  auto weights = matrix.accessor<double, 2>();
  for (std::int64_t i = 0; i < to; ++i) {
    const double place = std::clamp((double(i) + 0.5) * double(from) / double(to) - 0.5, 0.0, double(from - 1));
    const auto below = std::int64_t(place);
    const double share = place - double(below);
    weights[i][below] += 1 - share;
    weights[i][std::min(below + 1, from - 1)] += share;
  }
  return matrix;
}

double cubic_spline(double x) {
  x = std::abs(x);
  return x < 1 ? 2.0 / 3 + x * x * (x / 2 - 1) : x < 2 ? (2 - x) * (2 - x) * (2 - x) / 6 : 0;
}

/// Values at `places` of the cubic spline with given coefficients, which are mirrored about the outermost ones.
at::Tensor spline_values(std::int64_t coefficients, std::int64_t count, double step) {
  auto matrix = at::zeros({count, coefficients}, at::kDouble);
  auto weights = matrix.accessor<double, 2>();
  const auto period = std::max<std::int64_t>(1, 2 * (coefficients - 1));
  for (std::int64_t i = 0; i < count; ++i) {
    const double place = double(i) * step;
    const auto middle = std::int64_t(std::floor(place));
    for (auto j = middle - 1; j <= middle + 2; ++j) {
      const auto folded = (j % period + period) % period;
      weights[i][std::min(folded, period - folded) % coefficients] += cubic_spline(place - double(j));
    }
  }
  return matrix;
}

/// The spline through the values, first and last of which stay where they are.
at::Tensor spline_matrix(std::int64_t from, std::int64_t to) {
  const double step = to > 1 ? double(from - 1) / double(to - 1) : 1;
  return at::linalg_solve(spline_values(from, from, 1), spline_values(from, to, step), /*left=*/false);
}

}  // namespace

at::Tensor resize_map(at::Tensor map, at::IntArrayRef size) {
  for (std::int64_t axis = 1; axis < map.dim(); ++axis) {
    const auto from = map.size(axis), to = size[std::size_t(axis - 1)];
    if (from == to) continue;
    const auto matrix = (size.size() == 2 ? linear_matrix : spline_matrix)(from, to).to(map.scalar_type());
    map = at::matmul(map.movedim(axis, -1), matrix.t()).movedim(-1, axis);
  }
  return map.contiguous();
}

}  // namespace ichdet::attribution
