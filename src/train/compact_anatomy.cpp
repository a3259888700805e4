#include "ichdet/train/compact_anatomy.hpp"

#include <algorithm>
#include <cmath>

namespace ichdet::train {
namespace {

constexpr float depth_step_mm = 0.3f;
constexpr float flat_mm = 0.05f;  ///< a sheet that bends less is a plane

std::uint8_t to_level(float value, float step) {
  return std::uint8_t(std::clamp(std::nearbyint(value / step), 0.f, 255.f));
}

Array3<std::uint8_t> shares(const Array3<float>& values) {
  auto levels = Array3<std::uint8_t>::uninitialized(values.shape());
  std::transform(values.begin(), values.end(), levels.begin(), [](float value) { return to_level(value, 1 / 255.f); });
  return levels;
}

Array3<float> shares(const Array3<std::uint8_t>& levels, std::int64_t first, std::int64_t count) {
  auto values = Array3<float>::uninitialized({count, levels.extent(1), levels.extent(2)});
  std::transform(levels.plane(first).data(), levels.plane(first).data() + values.size(), values.begin(),
                 [](std::uint8_t level) { return float(level) / 255; });
  return values;
}

/// The plane through a slice's corners, or nothing where some pixel is off it.
bool fit_plane(const Array3<float>& values, std::int64_t slice, std::array<float, 3>& plane) {
  const auto rows = values.extent(1), columns = values.extent(2);
  const float corner = values(slice, 0, 0);
  plane = {corner, rows > 1 ? (values(slice, rows - 1, 0) - corner) / float(rows - 1) : 0,
           columns > 1 ? (values(slice, 0, columns - 1) - corner) / float(columns - 1) : 0};
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t c = 0; c < columns; ++c) {
      if (std::abs(values(slice, r, c) - (plane[0] + plane[1] * float(r) + plane[2] * float(c))) > flat_mm)
        return false;
    }
  }
  return true;
}

}  // namespace

CompactAnatomy::CompactAnatomy(const HeadAnatomy& anatomy)
    : depth(Array3<std::uint8_t>::uninitialized(anatomy.depth_mm.shape())),
      ventricle(shares(anatomy.ventricle)),
      csf(shares(anatomy.csf)),
      midline_plane(std::size_t(anatomy.depth_mm.extent(0))),
      head_to_lps(anatomy.head_to_lps),
      assumptions(anatomy.assumptions) {
  std::transform(anatomy.depth_mm.begin(), anatomy.depth_mm.end(), depth.begin(), [](float mm) {
    return mm < 0 ? std::uint8_t{0} : std::uint8_t(std::clamp(std::ceil(mm / depth_step_mm), 1.f, 255.f));
  });
  for (std::size_t s = 0; s < midline_plane.size(); ++s) {
    if (fit_plane(anatomy.midline_mm, std::int64_t(s), midline_plane[s])) continue;
    midline = Array3<std::int8_t>::uninitialized(depth.shape());
    std::transform(anatomy.midline_mm.begin(), anatomy.midline_mm.end(), midline.begin(),
                   [](float mm) { return std::int8_t(std::clamp(std::nearbyint(mm), -127.f, 127.f)); });
    midline_plane.clear();
  }
}

HeadAnatomy CompactAnatomy::slices(std::int64_t first, std::int64_t count) const {
  HeadAnatomy anatomy;
  anatomy.depth_mm = Array3<float>::uninitialized({count, depth.extent(1), depth.extent(2)});
  std::transform(depth.plane(first).data(), depth.plane(first).data() + anatomy.depth_mm.size(),
                 anatomy.depth_mm.begin(),
                 [](std::uint8_t level) { return level > 0 ? depth_step_mm * (float(level) - 0.5f) : -1.f; });
  anatomy.ventricle = shares(ventricle, first, count);
  anatomy.csf = shares(csf, first, count);
  anatomy.midline_mm = Array3<float>::uninitialized(anatomy.depth_mm.shape());
  for (std::int64_t s = 0; s < count; ++s) {
    auto out = anatomy.midline_mm.plane(s);
    if (!midline.empty()) {
      std::ranges::copy(midline.plane(first + s), out.begin());
      continue;
    }
    const auto [at_corner, per_row, per_column] = midline_plane[std::size_t(first + s)];
    for (std::int64_t r = 0; r < depth.extent(1); ++r) {
      for (std::int64_t c = 0; c < depth.extent(2); ++c) {
        out[std::size_t(r * depth.extent(2) + c)] = at_corner + per_row * float(r) + per_column * float(c);
      }
    }
  }
  anatomy.head_to_lps = head_to_lps;
  anatomy.assumptions = assumptions;
  return anatomy;
}

}  // namespace ichdet::train
