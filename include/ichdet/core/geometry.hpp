#pragma once

#include <Eigen/Core>
#include <array>
#include <cstdint>
#include <string>

#include "ichdet/core/config.hpp"

namespace ichdet {

/// How far two geometries may differ and still be called the same.
struct GeometryTolerance {
  double position_mm = 1e-3;  ///< of any corner voxel's centre
};

/// A regular grid in space: a size, and an affine from voxel index to LPS millimetres. Immutable; operations return
/// new ones.
///
/// Indices are (x, y, z), the reverse of the arrays' axis order; index (0, 0, 0) is the centre of the first voxel.
/// The affine may be sheared (a tilted gantry).
class Geometry {
 public:
  using Size = std::array<std::int64_t, 3>;  ///< x, y, z

  /// Throws Error(geometry) if a size is not positive or the affine is singular or not finite.
  Geometry(const Size& size_xyz, const Eigen::Matrix4d& index_to_lps, std::string frame_of_reference_uid = {});

  /// A grid along the LPS axes.
  static Geometry aligned(const Size& size_xyz, const Eigen::Vector3d& spacing_mm,
                          const Eigen::Vector3d& origin_mm = Eigen::Vector3d::Zero());

  const Size& size() const noexcept { return size_; }
  /// (z, y, x), the shape of an array on this grid.
  std::array<std::int64_t, 3> shape() const noexcept { return {size_[2], size_[1], size_[0]}; }
  const Eigen::Matrix4d& affine() const noexcept { return affine_; }
  const Eigen::Matrix4d& inverse_affine() const noexcept { return inverse_; }
  const std::string& frame_of_reference_uid() const noexcept { return frame_of_reference_uid_; }

  /// Distance between neighbouring voxel centres along x, y, z.
  Eigen::Vector3d spacing_mm() const;
  /// LPS position of the centre of voxel (0, 0, 0).
  Eigen::Vector3d origin_mm() const;
  /// Unit vectors of the x, y and z axes, as columns.
  Eigen::Matrix3d direction() const;
  /// Volume of one voxel.
  double voxel_ml() const;

  Eigen::Vector3d to_lps(const Eigen::Vector3d& index_xyz) const;
  Eigen::Vector3d to_index(const Eigen::Vector3d& lps_mm) const;

  /// The part that starts at voxel `first` (x, y, z; may be negative) and has `size`.
  Geometry crop(const Size& first_xyz, const Size& size_xyz) const;

  /// The same directions and first voxel centre with another spacing. The size is round((n - 1) · old / new + 1), as
  /// in blast-ct 2.1.0, nifti/rescale.py.
  Geometry with_spacing(const Eigen::Vector3d& spacing_mm) const;

  /// The same field of voxels with axes permuted and flipped so that x, y, z run nearest to +L, +P, +S.
  Geometry reoriented_to_lps() const;

  /// Same size, and corner voxel centres within the tolerance. The frame of reference is not compared.
  bool same_as(const Geometry& other, const GeometryTolerance& tolerance = {}) const;

  /// One line: size, spacing, origin.
  std::string to_string() const;

 private:
  Size size_;
  Eigen::Matrix4d affine_;
  Eigen::Matrix4d inverse_;
  std::string frame_of_reference_uid_;
};

}  // namespace ichdet

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/core/geometry_inl.hpp"
#endif
