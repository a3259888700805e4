#include "planes.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace ichdet::attribution {
namespace {

/// Weights of the middle and of each distance from it.
std::vector<double> gaussian(double sigma) {
  const auto radius = std::int64_t(4 * sigma + 0.5);
  std::vector<double> weights;
  for (auto x = -radius; x <= radius; ++x) weights.push_back(std::exp(-0.5 / (sigma * sigma) * double(x * x)));
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  weights.erase(weights.begin(), weights.begin() + radius);
  for (double& weight : weights) weight /= sum;
  return weights;
}

std::int64_t mirrored(std::int64_t i, std::int64_t size) {
  const auto place = (i % (2 * size) + 2 * size) % (2 * size);
  return std::min(place, 2 * size - 1 - place);
}

constexpr std::int64_t padding = 12;  // rows of zeros that SciPy puts around the values before it fits the spline

/// Coefficients of the cubic spline through the rows and those of the padding, by the recursions of Unser et al.
/// (1993).
Plane spline_coefficients(const Plane& plane) {
  const double pole = std::sqrt(3.0) - 2;
  const auto rows = plane.height + 2 * padding, width = plane.width;
  Plane found(rows, width);
  for (std::int64_t y = 0; y < plane.height; ++y) {
    std::transform(plane.row(y), plane.row(y) + width, found.row(y + padding), [](double v) { return 6 * v; });
  }
  const auto add = [&](double* to, double factor, const double* from) {
    for (std::int64_t x = 0; x < width; ++x) to[x] += factor * from[x];
  };
  double power = 1;
  for (std::int64_t k = 1; k < 32; ++k) {  // what lies further weighs less than a rounding error
    power *= pole;
    add(found.row(0), power, found.row(k < rows ? k : 2 * rows - 2 - k));
  }
  for (std::int64_t y = 1; y < rows; ++y) add(found.row(y), pole, found.row(y - 1));
  double* last = found.row(rows - 1);
  add(last, pole, found.row(rows - 2));
  for (std::int64_t x = 0; x < width; ++x) last[x] *= pole / (pole * pole - 1);
  for (auto y = rows - 2; y >= 0; --y) {
    double* row = found.row(y);
    const double* below = found.row(y + 1);
    for (std::int64_t x = 0; x < width; ++x) row[x] = pole * (below[x] - row[x]);
  }
  return found;
}

}  // namespace

Plane transposed(const Plane& plane) {
  constexpr std::int64_t tile = 16;
  Plane turned(plane.width, plane.height);
  for (std::int64_t top = 0; top < plane.height; top += tile) {
    const auto bottom = std::min(top + tile, plane.height);
    for (std::int64_t x = 0; x < plane.width; ++x) {
      for (auto y = top; y < bottom; ++y) turned.row(x)[y] = plane.row(y)[x];
    }
  }
  return turned;
}

Plane smoothed(const Plane& plane, double sigma, Border border) {
  if (sigma < 1e-15) return plane;
  const auto weights = gaussian(sigma);
  const auto height = plane.height, width = plane.width;
  const std::vector<double> zeros(std::size_t(border == Border::zero ? width : 0));
  const auto row = [&](std::int64_t y) {
    if (y >= 0 && y < height) return plane.row(y);
    return border == Border::zero ? zeros.data() : plane.row(mirrored(y, height));
  };
  Plane found(height, width);
  for (std::int64_t y = 0; y < height; ++y) {
    double* to = found.row(y);
    std::transform(plane.row(y), plane.row(y) + width, to, [&](double v) { return v * weights[0]; });
    for (auto distance = std::int64_t(weights.size()) - 1; distance > 0; --distance) {
      const double *above = row(y - distance), *below = row(y + distance), weight = weights[std::size_t(distance)];
      for (std::int64_t x = 0; x < width; ++x) to[x] += (above[x] + below[x]) * weight;
    }
  }
  return found;
}

Plane resized(const Plane& plane, std::int64_t height) {
  if (height == plane.height) return plane;
  const auto coefficients = spline_coefficients(plane);
  const double step = double(plane.height) / double(height);
  Plane found(height, plane.width);
  for (std::int64_t y = 0; y < height; ++y) {
    const double place = (double(y) + 0.5) * step - 0.5, t = place - std::floor(place), s = 1 - t;
    const double* from = coefficients.row(std::int64_t(std::floor(place)) - 1 + padding);
    const double weights[] = {s * s * s / 6, 2.0 / 3 - t * t * (1 - t / 2), 2.0 / 3 - s * s * (1 - s / 2),
                              t * t * t / 6};
    double* to = found.row(y);
    for (const double weight : weights) {
      for (std::int64_t x = 0; x < plane.width; ++x) to[x] += weight * from[x];
      from += plane.width;
    }
  }
  return found;
}

}  // namespace ichdet::attribution
