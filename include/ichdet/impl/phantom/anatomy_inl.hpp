#pragma once

#include <cmath>
#include <string>

#include "ichdet/core/error.hpp"
#include "ichdet/core/parallel.hpp"
#include "ichdet/phantom/anatomy.hpp"
#include "ichdet/phantom/distance.hpp"
#include "ichdet/phantom/grid_tools.hpp"

namespace ichdet {

namespace phantom_detail {

/// The pixels within `mm` of the mask in their slice.
ICHDET_INLINE Array3<std::uint8_t> grown(const Array3<std::uint8_t>& mask, const SliceGeometry& geometry, float mm,
                                         int threads) {
  Array3<std::uint8_t> inverse(mask.shape());
  for (std::int64_t i = 0; i < mask.size(); ++i) inverse.data()[i] = mask.data()[i] == 0;
  const auto distance = distance_to_outside(inverse, geometry, true, threads);
  for (std::int64_t i = 0; i < mask.size(); ++i) inverse.data()[i] = distance.data()[i] <= mm;
  return inverse;
}

/// The pixels farther than `mm` from what is not in the mask, in their slice.
ICHDET_INLINE Array3<std::uint8_t> shrunk(const Array3<std::uint8_t>& mask, const SliceGeometry& geometry, float mm,
                                          int threads) {
  const auto distance = distance_to_outside(mask, geometry, true, threads);
  Array3<std::uint8_t> result(mask.shape());
  for (std::int64_t i = 0; i < mask.size(); ++i) result.data()[i] = distance.data()[i] > mm;
  return result;
}

/// HU clipped to soft tissue's range and blurred by 1.3 mm in the slices.
ICHDET_INLINE Array3<float> smoothed(const SliceStack& stack, int threads) {
  Array3<float> result(stack.hu.shape());
  const auto& plane = stack.geometry.planes().front();
  const auto along_row = gaussian_weights(1.3 / plane.column_spacing_mm);
  const auto along_column = gaussian_weights(1.3 / plane.row_spacing_mm);
  parallel_for(result.extent(0), threads, [&](std::int64_t s) {
    auto out = result.plane(s);
    const auto in = stack.hu.plane(s);
    for (std::size_t i = 0; i < in.size(); ++i) {
      const bool padded = !stack.padding.empty() && stack.padding.plane(s)[i] != 0;
      out[i] = padded ? -200 : std::clamp(in[i], -200.0F, 200.0F);
    }
    std::vector<float> scratch;
    blur_slice(out, result.extent(1), result.extent(2), along_row, along_column, scratch);
  });
  return result;
}

/// Sets what the mask encloses in each slice.
ICHDET_INLINE void fill_holes(Array3<std::uint8_t>& mask, int threads) {
  const std::int64_t rows = mask.extent(1);
  const std::int64_t columns = mask.extent(2);
  parallel_for(mask.extent(0), threads, [&](std::int64_t s) {
    auto pixels = mask.plane(s);
    std::vector<std::uint8_t> outside(pixels.size(), 0);
    std::vector<std::int64_t> queue;
    const auto visit = [&](std::int64_t r, std::int64_t c) {
      if (r < 0 || c < 0 || r >= rows || c >= columns) return;
      const auto at = static_cast<std::size_t>(r * columns + c);
      if (pixels[at] != 0 || outside[at] != 0) return;
      outside[at] = 1;
      queue.push_back(r * columns + c);
    };
    for (std::int64_t r = 0; r < rows; ++r) visit(r, 0), visit(r, columns - 1);
    for (std::int64_t c = 0; c < columns; ++c) visit(0, c), visit(rows - 1, c);
    while (!queue.empty()) {
      const std::int64_t r = queue.back() / columns;
      const std::int64_t c = queue.back() % columns;
      queue.pop_back();
      visit(r - 1, c), visit(r + 1, c), visit(r, c - 1), visit(r, c + 1);
    }
    for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = outside[i] == 0;
  });
}

/// How many of the eight directions in the slice lead from a pixel to bone.
ICHDET_INLINE Array3<std::uint8_t> bone_around(const SliceStack& stack, float bone_hu, int threads) {
  const auto shape = stack.hu.shape();
  Array3<std::uint8_t> count(shape);
  parallel_for(shape[0], threads, [&](std::int64_t s) {
    for (int dy = -1; dy <= 1; ++dy) {
      for (int dx = -1; dx <= 1; ++dx) {
        if (dy == 0 && dx == 0) continue;
        std::vector<std::uint8_t> seen(static_cast<std::size_t>(shape[1] * shape[2]), 0);
        for (std::int64_t i = 0; i < shape[1]; ++i) {
          const std::int64_t r = dy > 0 ? shape[1] - 1 - i : i;
          for (std::int64_t j = 0; j < shape[2]; ++j) {
            const std::int64_t c = dx > 0 ? shape[2] - 1 - j : j;
            const std::int64_t y = r + dy;
            const std::int64_t x = c + dx;
            const bool beyond = y < 0 || x < 0 || y >= shape[1] || x >= shape[2];
            const bool found =
                stack.hu(s, r, c) >= bone_hu || (!beyond && seen[static_cast<std::size_t>(y * shape[2] + x)] != 0);
            seen[static_cast<std::size_t>(r * shape[2] + c)] = found;
            count(s, r, c) = std::uint8_t(count(s, r, c) + (found ? 1 : 0));
          }
        }
      }
    }
  });
  return count;
}

/// The cranial cavity: the largest piece of soft tissue with bone around it, closed, up to the bone.
ICHDET_INLINE Array3<std::uint8_t> find_cavity(const SliceStack& stack, const Array3<float>& smooth, float bone_hu,
                                               const AnatomyOptions& o) {
  const auto& geometry = stack.geometry;
  Array3<std::uint8_t> soft(stack.hu.shape());
  // Where a scan was stored windowed, air and fat have its lowest value, and so has no other wide area.
  const float lowest = *std::min_element(stack.hu.begin(), stack.hu.end());
  const float least = lowest > -60 ? std::max(-12.0F, lowest + 1.5F) : -12;
  const auto around = bone_around(stack, bone_hu, o.threads);
  constexpr std::uint8_t enough = 6;  // muscle outside the skull has it on one side only
  for (std::int64_t i = 0; i < soft.size(); ++i) {
    const float h = smooth.data()[i];
    soft.data()[i] =
        h > least && h < std::min(110.0F, bone_hu) && stack.hu.data()[i] < bone_hu && around.data()[i] >= enough;
  }
  constexpr float opening_mm = 4;
  const auto core = largest_piece(shrunk(soft, geometry, opening_mm, o.threads), geometry);
  auto cavity = grown(core, geometry, opening_mm + 0.5F, o.threads);
  for (std::int64_t i = 0; i < soft.size(); ++i) cavity.data()[i] &= soft.data()[i];
  constexpr float closing_mm = 7;
  cavity = shrunk(grown(cavity, geometry, closing_mm, o.threads), geometry, closing_mm, o.threads);
  const float rim_hu = std::min(bone_hu, 150.0F);
  for (std::int64_t i = 0; i < soft.size(); ++i) {
    const float h = stack.hu.data()[i];
    cavity.data()[i] &= std::uint8_t(h < rim_hu && h > -60 && (least == -12 || smooth.data()[i] > least));
  }
  cavity = largest_piece(cavity, geometry);
  fill_holes(cavity, o.threads);
  return cavity;
}

}  // namespace phantom_detail

ICHDET_INLINE HeadAnatomy anatomy_from_scan(const SliceStack& stack, const AnatomyOptions& options,
                                            const Progress& progress) {
  using namespace phantom_detail;
  const auto& geometry = stack.geometry;
  HeadAnatomy a;
  progress("head anatomy", 0);
  float highest = -10000;
  for (const float h : stack.hu) highest = std::max(highest, h);
  auto bone_hu = float(options.bone_hu);
  if (highest <= bone_hu) {
    bone_hu = highest - 0.5F;
    a.assumptions.push_back("no value exceeds " + std::to_string(int(options.bone_hu)) +
                            " HU: pixels at the highest value, " + std::to_string(int(highest)) +
                            ", were taken for bone");
  }
  const auto smooth = smoothed(stack, options.threads);
  const auto cavity = find_cavity(stack, smooth, bone_hu, options);
  std::int64_t pixels = 0;
  for (const auto m : cavity) pixels += m;
  if (pixels == 0)
    throw Error(ErrorCode::geometry, "head anatomy: expected a cranial cavity (soft tissue inside bone), found none");
  progress("head anatomy", 0.5);

  a.depth_mm = distance_to_outside(cavity, geometry, false, options.threads);
  for (float& d : a.depth_mm) d = d > 0 ? d : -1;
  a.ventricle = Array3<float>(stack.hu.shape());
  a.csf = Array3<float>(stack.hu.shape());
  a.midline_mm = Array3<float>(stack.hu.shape());

  // The frame: cavity's middle, long axis and reach, over the slices where it is widest.
  const auto shape = geometry.shape();
  std::vector<std::int64_t> area(static_cast<std::size_t>(shape[0]), 0);
  for (std::int64_t s = 0; s < shape[0]; ++s)
    for (const auto m : cavity.plane(s)) area[std::size_t(s)] += m;
  const std::int64_t widest = *std::max_element(area.begin(), area.end());
  Eigen::Vector3d mean = Eigen::Vector3d::Zero();
  Eigen::Matrix2d spread = Eigen::Matrix2d::Zero();
  double n = 0;
  std::int64_t top = 0, bottom = shape[0];
  const auto each_pixel = [&](auto&& visit) {
    for (std::int64_t s = 0; s < shape[0]; ++s) {
      if (area[std::size_t(s)] * 4 < widest * 3) continue;
      for (std::int64_t r = 0; r < shape[1]; ++r) {
        for (std::int64_t c = 0; c < shape[2]; ++c) {
          if (cavity(s, r, c) != 0) visit(geometry.planes()[std::size_t(s)].to_lps(double(r), double(c)));
        }
      }
    }
  };
  each_pixel([&](const Eigen::Vector3d& p) {
    mean += p;
    ++n;
  });
  mean /= n;
  const Eigen::Vector3d up = geometry.normal().z() >= 0 ? geometry.normal() : Eigen::Vector3d(-geometry.normal());
  Eigen::Vector3d left = (Eigen::Vector3d::UnitX() - up * up.x()).normalized();
  Eigen::Vector3d back = up.cross(left);
  each_pixel([&](const Eigen::Vector3d& p) {
    const Eigen::Vector2d q((p - mean).dot(left), (p - mean).dot(back));
    spread += q * q.transpose() / n;
  });
  // Tilt of the long axis against the slice's columns; a round cavity has none worth following.
  double turn = 0.5 * std::atan2(2 * spread(0, 1), spread(1, 1) - spread(0, 0));
  if (std::abs(turn) > 0.45 || spread(1, 1) < 1.15 * spread(0, 0)) turn = 0;
  const Eigen::Vector3d back_turned = back * std::cos(turn) + left * std::sin(turn);
  left = left * std::cos(turn) - back * std::sin(turn);
  back = back_turned;
  double half_width = 0, half_length = 0;
  each_pixel([&](const Eigen::Vector3d& p) {
    half_width = std::max(half_width, std::abs((p - mean).dot(left)));
    half_length = std::max(half_length, std::abs((p - mean).dot(back)));
  });
  for (std::int64_t s = 0; s < shape[0]; ++s) {
    if (area[std::size_t(s)] == 0) continue;
    bottom = std::min(bottom, s);
    top = std::max(top, s);
  }
  if (geometry.normal().z() < 0) std::swap(bottom, top);
  const auto height = [&](std::int64_t s) { return up.dot(geometry.planes()[std::size_t(s)].position_mm); };
  const double scale_xy = std::clamp((half_width / 67 + half_length / 83) / 2, 0.6, 1.3);
  double origin_height = height(top) - 74 * scale_xy;
  if (height(top) - height(bottom) < 100) {
    origin_height = (height(top) + height(bottom)) / 2 - 8;
    a.assumptions.push_back("the scan covers " + std::to_string(int(height(top) - height(bottom))) +
                            " mm of the head: its middle was taken to be at the level of the basal ganglia");
  }
  const Eigen::Vector3d origin = mean + up * (origin_height - up.dot(mean));
  a.head_to_lps.linear().col(0) = left * std::clamp(half_width / 67, 0.6, 1.4);
  a.head_to_lps.linear().col(1) = back * std::clamp(half_length / 83, 0.6, 1.4);
  a.head_to_lps.linear().col(2) = up * scale_xy;
  a.head_to_lps.translation() = origin;

  parallel_for(shape[0], options.threads, [&](std::int64_t s) {
    for (std::int64_t r = 0; r < shape[1]; ++r) {
      for (std::int64_t c = 0; c < shape[2]; ++c) {
        const double x = (geometry.planes()[std::size_t(s)].to_lps(double(r), double(c)) - mean).dot(left);
        a.midline_mm(s, r, c) = float(x);
        if (cavity(s, r, c) == 0) continue;
        const float fluid = 1 - shapes::ramp(smooth(s, r, c), float(options.csf_hu) - 6, float(options.csf_hu) + 6);
        const bool deep = a.depth_mm(s, r, c) > options.ventricle_depth_mm && std::abs(x) < 42;
        (deep ? a.ventricle : a.csf)(s, r, c) = fluid;
      }
    }
  });
  progress("head anatomy", 1);
  return a;
}

}  // namespace ichdet
