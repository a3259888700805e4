#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "ichdet/core/array.hpp"
#include "ichdet/phantom/anatomy.hpp"

namespace ichdet::train {

/// A HeadAnatomy in 4 bytes a pixel in place of 16, all arrays (slice, row, column).
struct CompactAnatomy {
  /// Depths of up to 76 mm in steps of 0.3 mm, 0 being outside the cavity (-1 mm): loses up to 0.15 mm.
  Array3<std::uint8_t> depth;
  Array3<std::uint8_t> ventricle, csf;  ///< shares in steps of 1/255
  Array3<std::int8_t> midline;          ///< -127 to 127 mm in whole ones; empty where `midline_plane` tells it all
  /// The distance from the mid-sagittal sheet of pixel (row, column) is [0] + [1] * row + [2] * column, of each slice.
  std::vector<std::array<float, 3>> midline_plane;
  Eigen::Affine3d head_to_lps = Eigen::Affine3d::Identity();
  std::vector<std::string> assumptions;

  CompactAnatomy() = default;
  explicit CompactAnatomy(const HeadAnatomy& anatomy);
  /// Slices `first` to `first + count - 1`.
  HeadAnatomy slices(std::int64_t first, std::int64_t count) const;
};

}  // namespace ichdet::train
