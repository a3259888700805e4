#pragma once

#include <Eigen/Geometry>
#include <array>
#include <cstdint>

#include "ichdet/core/array.hpp"
#include "ichdet/core/slice_stack.hpp"
#include "ichdet/phantom/anatomy.hpp"

namespace ichdet::train {

/// The numbers of one example, drawn in order.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : seed_(seed) {}
  double uniform();
  float between(double low, double high) { return float(low + (high - low) * uniform()); }
  float log_between(double low, double high);
  float normal();
  bool chance(double probability) { return uniform() < probability; }
  std::uint64_t bits();
  int below(int n) { return int(uniform() * n); }
  float sign() { return chance(0.5) ? 1.0F : -1.0F; }

 private:
  std::uint64_t seed_, next_ = 0;
};

/// A slab under the brush: its tissues, by values that fit this scan, and where things are.
struct Canvas {
  Canvas(SliceStack& slab, const HeadAnatomy& of_slab);

  SliceStack& stack;
  const HeadAnatomy& anatomy;
  std::int64_t slices, rows, columns;
  std::array<std::int64_t, 4> box{};  ///< first and last row, first and last column that the cavity reaches
  float row_mm, column_mm, gap_mm;
  float brain_hu = 33;                   ///< median inside
  float noise_hu = 3;                    ///< standard deviation of the scan's noise, of one pixel
  float low_hu = -1024, high_hu = 3071;  ///< values the scan can have
  bool clipped = false;                  ///< the scan was stored windowed
  float cavity_mm2 = 0;                  ///< the largest area of it in a slice
  float round = 0;                       ///< the cavity's area over that of an ellipse of its width and length
  Array3<float> smooth;                  ///< HU without noise, inside; `brain_hu` outside
  Array3<float> broad;                   ///< the same over some 5 mm
  Array3<float> csf;                     ///< part of the pixel that is CSF of any kind
  Array3<float> ventricle;               ///< part of the pixel that is ventricular CSF

  /// The anatomy's, but -1 in those pieces of a slice that bone does not enclose: neck, orbits, nose.
  Array3<float> depth_mm;
  float depth(std::int64_t s, std::int64_t r, std::int64_t c) const { return depth_mm(s, r, c); }
  /// mm from the slab's first pixel: along columns, rows, slices.
  Eigen::Vector3f mm(std::int64_t s, std::int64_t r, std::int64_t c) const {
    return {float(c) * column_mm, float(r) * row_mm, float(s) * gap_mm};
  }
  /// Head coordinates (see HeadAnatomy), the mid-sagittal plane found anew from the slab.
  Eigen::Vector3f head(std::int64_t s, std::int64_t r, std::int64_t c) const {
    const Eigen::Vector3f p = head_origin + float(s) * head_slice + float(r) * head_row + float(c) * head_column;
    return {p.x() - (middle_mm + middle_slope * p.y()), p.y(), p.z()};
  }
  /// The same, turned, so that the lattice of a noise does not lie along the pixels.
  Eigen::Vector3f turned(std::int64_t s, std::int64_t r, std::int64_t c) const {
    const Eigen::Vector3f p = mm(s, r, c);
    return {0.8F * p.x() + 0.6F * p.y(), -0.52F * p.x() + 0.693F * p.y() + 0.5F * p.z(),
            0.3F * p.x() - 0.4F * p.y() + 0.866F * p.z()};
  }
  Eigen::Vector3f head_origin, head_slice, head_row, head_column;
  float middle_mm = 0, middle_slope = 0;

  /// Calls use(s, r, c) for each pixel of the cavity.
  template <class Use>
  void inside(Use&& use) const {
    for (std::int64_t s = 0; s < slices; ++s) {
      for (std::int64_t r = box[0]; r <= box[1]; ++r) {
        for (std::int64_t c = box[2]; c <= box[3]; ++c) {
          if (depth_mm(s, r, c) > 0) use(s, r, c);
        }
      }
    }
  }
};

/// Looks at the slab. Throws Error(shape) where the anatomy is of another one.
Canvas look_at(SliceStack& slab, const HeadAnatomy& anatomy);

/// The mean of the pixel's neighbours of its own tissue: what it would read without noise.
float own_tissue(const Array3<float>& hu, std::int64_t s, std::int64_t r, std::int64_t c);

/// Part of each pixel that lies inside a surface, from signed distances to it (negative inside; `infinity` where it
/// cannot be): edges `edge_mm` wide in the slice, and as wide as a slice where the surface is slanted to it. `slant` is
/// assumed of single slices: the surface's slope along the normal, 0 (upright) to 1.
Array3<float> parts(const Canvas& canvas, const Array3<float>& distance, float edge_mm, float slant);

}  // namespace ichdet::train
