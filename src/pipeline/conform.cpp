#include "conform.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "ichdet/core/error.hpp"
#include "ichdet/preprocess/resample.hpp"

namespace ichdet::pipeline {
namespace {

constexpr std::int64_t side = 256;  ///< voxels of 1 mm
constexpr double least_mm = 80;     ///< less is no head

/// The value at rank q · (n - 1) of sorted whole numbers, of which `counts` says how often each occurs.
double quantile(const std::array<std::int64_t, 256>& counts, std::int64_t n, double q) {
  const double rank = q * double(n - 1);
  const auto value_at = [&](std::int64_t index) {
    std::int64_t seen = 0;
    for (std::size_t value = 0; value < counts.size(); ++value) {
      seen += counts[value];
      if (seen > index) return double(value);
    }
    return 255.;
  };
  const auto below = std::int64_t(std::floor(rank));
  return std::lerp(value_at(below), value_at(std::min(below + 1, n - 1)), rank - double(below));
}

}  // namespace

Geometry conformed_grid(const Geometry& grid) {
  Eigen::Matrix4d affine = Eigen::Matrix4d::Identity();
  affine.col(0) << 1, 0, 0, 0;   // L
  affine.col(1) << 0, 0, -1, 0;  // I
  affine.col(2) << 0, -1, 0, 0;  // A
  const auto& size = grid.size();
  const Eigen::Vector3d middle = grid.to_lps(Eigen::Vector3d(double(size[0]), double(size[1]), double(size[2])) / 2);
  affine.topRightCorner<3, 1>() = middle - affine.topLeftCorner<3, 3>() * Eigen::Vector3d::Constant(side / 2.);
  return {{side, side, side}, affine, grid.frame_of_reference_uid()};
}

bool to_cormack(Array3<float>& hu) {
  constexpr float lowest = -1024, dull = 900, interesting = 200, stretched = 10;
  const auto [least, most] = std::minmax_element(hu.begin(), hu.end());
  if (*most < 100 || *least > -500) return false;
  const float zero = std::max(*least, lowest);
  for (auto& value : hu) {
    value = std::max(value, lowest) - zero;
    value += (stretched - 1) * std::clamp(value - dull, 0.f, interesting);
  }
  return true;
}

void to_robust_range(Array3<float>& values) {
  constexpr std::size_t bins = 1000;
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  const double low = *least, width = (double(*most) - low) / double(bins);
  if (!(width > 0)) throw Error(ErrorCode::shape, "skull strip: all voxels of the volume have the same value");
  std::array<std::int64_t, bins> counts{};
  std::int64_t not_zero = 0;
  for (const float value : values) {
    ++counts[std::min(bins - 1, std::size_t((value - low) / width))];
    not_zero += std::abs(value) >= 1e-15f ? 1 : 0;
  }
  const auto wanted = values.size() - std::int64_t((1 - 0.98) * double(not_zero));
  std::size_t bin = 0;
  for (auto seen = counts[0]; bin < bins - 1 && seen + counts[bin + 1] < wanted; ++bin) seen += counts[bin + 1];
  const double scale = bin > 0 ? 255 / (double(bin) * width) : 1;
  for (auto& value : values) value = float(std::clamp(scale * (value - low), 0., 255.));
}

Array3<float> between_quantiles(const Array3<float>& levels) {
  std::array<std::int64_t, 256> counts{};
  for (const float level : levels) ++counts[std::size_t(level)];
  const auto low = float(quantile(counts, levels.size(), 0.02)), high = float(quantile(counts, levels.size(), 0.98));
  Array3<float> scaled(levels.shape());
  std::transform(levels.begin(), levels.end(), scaled.begin(),
                 [=](float level) { return std::clamp((level - low) / (high - low + 1e-3f), 0.f, 1.f); });
  return scaled;
}

Array3<float> conform(const Volume& volume, const Geometry& grid, int threads, std::vector<std::string>& assumptions) {
  auto values = volume.hu.clone();
  if (!to_cormack(values)) {
    assumptions.emplace_back(
        "MindGrab: the scan has no air or no bone, so its values were taken as they are, without Cormack units.");
  }
  to_robust_range(values);
  const auto upright = volume.geometry.reoriented_to_lps();
  const double height_mm = double(upright.size()[2]) * upright.spacing_mm()[2];
  if (height_mm > side) {
    assumptions.emplace_back("MindGrab: the scan is longer than 256 mm, and only its middle was looked at.");
  }
  if (height_mm < least_mm) {
    assumptions.emplace_back("MindGrab: the scan covers " + std::to_string(std::lround(height_mm)) +
                             " mm of the head, and the network, which learnt whole heads, may find anything.");
  }
  auto levels = resample_to(values, volume.geometry, grid, {.outside = 0.f, .threads = threads});
  for (auto& level : levels) level = std::nearbyint(level);
  return between_quantiles(levels);
}

}  // namespace ichdet::pipeline
