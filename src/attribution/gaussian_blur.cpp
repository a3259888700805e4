#include "ichdet/attribution/gaussian_blur.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "ichdet/core/error.hpp"
#include "images.hpp"

// A blur along an axis is a symmetric matrix of that axis' length: at the sigmas of a long path most of it is not 0.
namespace ichdet::attribution {
namespace {

at::Tensor blur_matrix(std::int64_t size, double sigma) {
  const auto radius = std::int64_t(4 * sigma + 0.5);
  std::vector<double> weights;  // at distances 0, 1, ...
  double sum = 0;
  for (std::int64_t d = 0; d <= radius; ++d) {
    weights.push_back(d == 0 ? 1 : std::exp(-0.5 * double(d * d) / (sigma * sigma)));
    sum += (d == 0 ? 1 : 2) * weights.back();
  }
  auto matrix = at::zeros({size, size}, at::kDouble);
  auto values = matrix.accessor<double, 2>();
  for (std::int64_t i = 0; i < size; ++i) {
    for (auto j = std::max<std::int64_t>(0, i - radius); j <= std::min(size - 1, i + radius); ++j) {
      values[i][j] = weights[std::size_t(std::abs(i - j))] / sum;
    }
  }
  return matrix;
}

at::Tensor along(const at::Tensor& x, std::int64_t axis, const at::Tensor& symmetric) {
  const auto matrix = symmetric.to(x.options());
  if (axis == x.dim() - 1) return at::matmul(x, matrix);
  if (axis == x.dim() - 2) return at::matmul(matrix, x);
  return at::matmul(matrix, x.flatten(axis + 1)).view(x.sizes());
}

void check(const char* name, double value, bool zero) {
  if (!(zero ? value >= 0 : value > 0)) {
    throw Error::mismatch(ErrorCode::options, name, zero ? "0 or more" : "more than 0", std::to_string(value));
  }
}

}  // namespace

at::Tensor gaussian_blur(const at::Tensor& input, double sigma) {
  check("sigma", sigma, true);
  auto x = images(input).contiguous();
  for (std::int64_t axis = 2; axis < x.dim(); ++axis) x = along(x, axis, blur_matrix(x.size(axis), sigma));
  return x;
}

BlurSlope gaussian_blur_slope(const at::Tensor& input, double sigma, double step) {
  check("sigma", sigma, true);
  check("step", step, false);
  BlurSlope now{images(input).contiguous(), {}};
  for (std::int64_t axis = 2; axis < now.blurred.dim(); ++axis) {
    const auto matrix = blur_matrix(now.blurred.size(axis), sigma);
    const auto change = (blur_matrix(now.blurred.size(axis), sigma + step) - matrix) / step;
    const auto& [x, slope] = now;
    // (matrix + step change)(x + step slope) - matrix x, over step
    auto next = axis == 2 ? along(x, axis, change) : along(slope, axis, matrix) + along(x + step * slope, axis, change);
    now = {along(x, axis, matrix), std::move(next)};
  }
  return now;
}

}  // namespace ichdet::attribution
