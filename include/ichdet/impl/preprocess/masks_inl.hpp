#pragma once

#include <algorithm>
#include <limits>
#include <utility>

#include "ichdet/core/error.hpp"
#include "ichdet/core/parallel.hpp"
#include "ichdet/preprocess/masks.hpp"
#include "ichdet/preprocess/morphology.hpp"

namespace ichdet {

namespace detail {

/// Where a scan keeps tissue and bone apart; see Note [Clipped scans].
struct TissueLimits {
  bool has_air, has_bone;
  float lowest, highest;
};

ICHDET_INLINE TissueLimits tissue_limits(const Array3<float>& hu) {
  TissueLimits limits{};
  limits.lowest = std::numeric_limits<float>::infinity();
  limits.highest = -limits.lowest;
  for (const float v : hu) {
    limits.lowest = std::min(limits.lowest, v);
    limits.highest = std::max(limits.highest, v);
  }
  limits.has_air = limits.lowest < -200;
  limits.has_bone = limits.highest > 300;
  return limits;
}

template <class Test>
Array3<std::uint8_t> mask_where(const Array3<float>& hu, int threads, const Test& test) {
  auto mask = Array3<std::uint8_t>::uninitialized(hu.shape());
  parallel_for(hu.extent(0), threads, [&](std::int64_t z) {
    std::transform(hu.plane(z).begin(), hu.plane(z).end(), mask.plane(z).begin(),
                   [&](float v) { return std::uint8_t(test(v)); });
  });
  return mask;
}

/// a[i] = a[i] && b[i]
ICHDET_INLINE void keep_within(Array3<std::uint8_t>& a, const Array3<std::uint8_t>& b) {
  std::transform(a.begin(), a.end(), b.begin(), a.begin(), [](std::uint8_t x, std::uint8_t y) { return x & y; });
}

/// The mask and what it surrounds in each slice, gaps of up to twice `gap_mm` in the outline notwithstanding. (Closing
/// first and filling then would not do: a closing does not bridge a gap in a thin line.)
ICHDET_INLINE Array3<std::uint8_t> fill_with_gaps(const Array3<std::uint8_t>& mask, double gap_mm,
                                                  const Eigen::Vector3d& spacing_mm, int threads) {
  auto filled = fill_holes_in_slices(dilate(mask, gap_mm, spacing_mm, threads), threads);
  filled = erode(filled, gap_mm, spacing_mm, threads);
  std::transform(filled.begin(), filled.end(), mask.begin(), filled.begin(),
                 [](std::uint8_t a, std::uint8_t b) { return std::uint8_t(a | b); });
  return filled;
}

template <class T>
Array3<T> crop_array(const Array3<T>& from, const IndexBox& box) {
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const auto n = from.extent(2 - axis);
    if (box.first[axis] < 0 || box.size[axis] < 1 || box.first[axis] > n - box.size[axis]) {
      throw Error::mismatch(ErrorCode::shape, "crop, axis " + std::to_string(axis),
                            "a box inside " + std::to_string(n) + " voxels",
                            std::to_string(box.size[axis]) + " from " + std::to_string(box.first[axis]));
    }
  }
  auto part = Array3<T>::uninitialized({box.size[2], box.size[1], box.size[0]});
  for (std::int64_t z = 0; z < box.size[2]; ++z) {
    for (std::int64_t y = 0; y < box.size[1]; ++y) {
      std::copy_n(&from(z + box.first[2], y + box.first[1], box.first[0]), box.size[0], &part(z, y, 0));
    }
  }
  return part;
}

}  // namespace detail

ICHDET_INLINE Array3<std::uint8_t> head_mask(const Volume& volume, const HeadMaskOptions& options) {
  const auto limits = detail::tissue_limits(volume.hu);
  const auto spacing = volume.geometry.spacing_mm();
  const int threads = options.threads;
  const float threshold = limits.has_air ? float(options.tissue_hu) : limits.lowest + float(options.clipped_tissue_hu);
  auto tissue = detail::mask_where(volume.hu, threads, [&](float v) { return v > threshold; });
  // Air in sinuses and fat that a window cut off must not let the opening tear the outline apart.
  tissue = fill_holes_in_slices(tissue, threads);
  auto head = largest_piece(erode(tissue, options.thinnest_mm, spacing, threads));
  // Wider than the erosion by half, so that ears and nose come back as far as they reach.
  head = dilate(head, 1.5 * options.thinnest_mm, spacing, threads);
  detail::keep_within(head, tissue);
  return detail::fill_with_gaps(head, options.gap_mm, spacing, threads);
}

ICHDET_INLINE Array3<std::uint8_t> brain_mask(const Volume& volume, const BrainMaskOptions& options) {
  const auto limits = detail::tissue_limits(volume.hu);
  const auto spacing = volume.geometry.spacing_mm();
  const int threads = options.threads;
  const float bone_hu = limits.has_bone ? float(options.bone_hu) : limits.highest - 0.5F;
  const float low = limits.has_air ? float(options.low_hu) : std::max(float(options.low_hu), limits.lowest + 0.5F);
  const float high = limits.has_bone ? float(options.high_hu) : std::min(float(options.high_hu), bone_hu);

  const auto bone = detail::mask_where(volume.hu, threads, [&](float v) { return v > bone_hu; });
  auto within = detail::fill_with_gaps(bone, options.skull_gap_mm, spacing, threads);
  const float air_hu = limits.has_air ? -100.0F : limits.lowest - 1;
  detail::keep_within(within,
                      detail::mask_where(volume.hu, threads, [&](float v) { return v > air_hu && v <= bone_hu; }));

  auto share = Array3<float>::uninitialized(volume.hu.shape());
  for (std::int64_t i = 0; i < share.size(); ++i) {
    const float v = volume.hu.data()[i];
    share.data()[i] = v >= low && v <= high ? 1.0F : 0.0F;
  }
  share = gaussian_smooth(share, options.smooth_mm, spacing, threads);
  auto brain = detail::mask_where(share, threads, [](float v) { return v >= 0.5F; });
  detail::keep_within(brain, within);
  brain = fill_holes_in_slices(brain, threads);
  brain = largest_piece(erode(brain, options.erode_mm, spacing, threads));
  brain = dilate(brain, options.erode_mm, spacing, threads);
  detail::keep_within(brain, within);
  return fill_holes_in_slices(fill_holes(largest_piece(brain)), threads);
}

ICHDET_INLINE std::optional<IndexBox> foreground_box(const Array3<std::uint8_t>& mask, std::int64_t margin) {
  if (margin < 0) throw Error::mismatch(ErrorCode::options, "margin", "at least 0 voxels", std::to_string(margin));
  std::array<std::int64_t, 3> low{mask.extent(2), mask.extent(1), mask.extent(0)};
  std::array<std::int64_t, 3> high{-1, -1, -1};
  for (std::int64_t z = 0; z < mask.extent(0); ++z) {
    for (std::int64_t y = 0; y < mask.extent(1); ++y) {
      const auto* row = &mask(z, y, 0);
      const auto* end = row + mask.extent(2);
      const auto* first = std::find_if(row, end, [](std::uint8_t v) { return v != 0; });
      if (first == end) continue;
      const auto* last = end - 1;
      while (*last == 0) --last;
      const std::int64_t from[3] = {first - row, y, z};
      const std::int64_t to[3] = {last - row, y, z};
      for (std::size_t axis = 0; axis < 3; ++axis) {
        low[axis] = std::min(low[axis], from[axis]);
        high[axis] = std::max(high[axis], to[axis]);
      }
    }
  }
  if (high[0] < 0) return std::nullopt;
  IndexBox box;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    box.first[axis] = std::max<std::int64_t>(0, low[axis] - margin);
    box.size[axis] = std::min(mask.extent(2 - axis), high[axis] + 1 + margin) - box.first[axis];
  }
  return box;
}

ICHDET_INLINE Volume crop(const Volume& volume, const IndexBox& box) {
  auto hu = detail::crop_array(volume.hu, box);
  return Volume(std::move(hu), volume.geometry.crop(box.first, box.size));
}

ICHDET_INLINE LabelMap crop(const LabelMap& labels, const IndexBox& box) {
  auto part = detail::crop_array(labels.labels, box);
  return LabelMap(std::move(part), labels.names, labels.geometry.crop(box.first, box.size));
}

}  // namespace ichdet
