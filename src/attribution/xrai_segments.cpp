#include "ichdet/attribution/xrai_segments.hpp"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <cmath>

#include "ichdet/core/error.hpp"
#include "image_planes.hpp"

namespace ichdet::attribution {
namespace {

void check(const XraiSegmentOptions& options) {
  if (!(options.low < options.high && options.low <= 0 && options.high >= 0)) {
    throw Error::mismatch(ErrorCode::options, "low, high", "low < high and 0 between them",
                          std::to_string(options.low) + ", " + std::to_string(options.high));
  }
  if (options.scales.empty()) throw Error::mismatch(ErrorCode::options, "scales", "1 or more", "none");
  if (options.side < 0) throw Error::mismatch(ErrorCode::options, "side", "0 or more", std::to_string(options.side));
}

/// What the steps between NumPy arrays of the image's type keep of a number.
using Kept = double (*)(double);

Kept kept_of(at::ScalarType type) {
  if (type == at::kDouble) return [](double value) { return value; };
  return [](double value) { return double(float(value)); };
}

std::pair<double, double> extent(const std::vector<Plane>& planes) {
  auto [low, high] = std::pair(planes.front().values.front(), planes.front().values.front());
  for (const auto& plane : planes) {
    const auto [least, highest] = std::minmax_element(plane.values.begin(), plane.values.end());
    low = std::min(low, *least);
    high = std::max(high, *highest);
  }
  return {low, high};
}

void keep(Plane& plane, Kept kept) {
  std::transform(plane.values.begin(), plane.values.end(), plane.values.begin(), kept);
}

void normalise(std::vector<Plane>& planes, double low, double high, Kept kept) {
  const auto [least, highest] = extent(planes);
  const double range = kept(highest - least), wanted = kept(high - low), offset = kept(low);
  for (auto& plane : planes) {
    for (double& value : plane.values) {
      value = range > 0 ? kept(kept(kept(kept(value - least) / range) * wanted) + offset) : offset;
    }
  }
}

/// As scikit-image's resize with anti-aliasing, zero beyond the border, and the image's own extent kept.
Plane squared(const Plane& plane, std::int64_t side, std::pair<double, double> extent, Kept kept) {
  const auto smooth = [&](const Plane& given) {
    const double shrunk = double(given.height) / double(side);
    auto found = smoothed(given, std::max(0.0, (shrunk - 1) / 2), Border::zero);
    keep(found, kept);
    return found;
  };
  const auto narrow = smooth(transposed(smooth(plane)));
  auto found = resized(transposed(resized(narrow, side)), side);
  for (double& value : found.values) value = std::clamp(kept(value), extent.first, extent.second);
  return found;
}

/// Labels (scale, y, x) to another size, each pixel's from the one that its middle lies in.
at::Tensor nearest(const at::Tensor& labels, std::int64_t height, std::int64_t width) {
  const auto places = [](std::int64_t from, std::int64_t to) {
    std::vector<std::int64_t> found;
    const double step = double(from) / double(to);
    // Half a pixel down and up again rounds as SciPy does.
    for (std::int64_t i = 0; i < to; ++i)
      found.push_back(std::int64_t(std::floor((double(i) + 0.5) * step - 0.5 + 0.5)));
    return found;
  };
  const auto rows = places(labels.size(1), height), columns = places(labels.size(2), width);
  auto found = at::empty({labels.size(0), height, width}, at::kLong);
  auto* to = found.mutable_data_ptr<std::int64_t>();
  for (std::int64_t scale = 0; scale < labels.size(0); ++scale) {
    const auto* from = labels.const_data_ptr<std::int64_t>() + scale * labels.size(1) * labels.size(2);
    for (const auto y : rows) {
      for (const auto x : columns) *to++ = from[y * labels.size(2) + x];
    }
  }
  return found;
}

}  // namespace

RegionMasks xrai_segments(const at::Tensor& image, const XraiSegmentOptions& options) {
  check(options);
  auto planes = planes_of(image);
  const auto height = planes.front().height, width = planes.front().width, side = options.side;
  const auto kept = kept_of(image.scalar_type());
  normalise(planes, options.low, options.high, kept);
  if (side > 0 && (height != side || width != side)) {
    const auto range = extent(planes);
    for (auto& plane : planes) plane = squared(plane, side, range, kept);
  }
  auto labels = felzenszwalb_scales(planes, options.scales, options.sigma, options.min_size);
  if (labels.size(1) != height || labels.size(2) != width) labels = nearest(labels, height, width);
  return dilated(masks_of_labels(labels), options.dilation);
}

}  // namespace ichdet::attribution
