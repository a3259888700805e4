#pragma once

#include <Eigen/Geometry>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>

#include "ichdet/core/error.hpp"
#include "ichdet/io/detail/nifti_header.hpp"

namespace ichdet::io::detail {

ICHDET_INLINE std::size_t nifti_header_size(std::span<const std::uint8_t> first_four) {
  for (const bool swapped : {false, true}) {
    const auto size = nifti_field<std::int32_t>(first_four, 0, swapped);
    if (size == std::int32_t(nifti1_size) || size == std::int32_t(nifti2_size)) return std::size_t(size);
  }
  return 0;
}

ICHDET_INLINE NiftiHeader parse_nifti_header(std::span<const std::uint8_t> bytes, const std::string& name) {
  NiftiHeader h;
  const bool second = bytes.size() == nifti2_size;
  h.swapped = nifti_field<std::int32_t>(bytes, 0, false) != std::int32_t(bytes.size());
  const auto* magic = reinterpret_cast<const char*>(bytes.data()) + (second ? 4 : 344);
  if (std::memcmp(magic, second ? "n+2" : "n+1", 4) != 0) {
    const bool pair = std::memcmp(magic, second ? "ni2" : "ni1", 4) == 0;
    throw Error::mismatch(ErrorCode::io, name + ", NIfTI magic", "a single file (n+1 or n+2)",
                          pair ? "one half of a header and image pair" : "something else");
  }
  // Each field's offset in a NIfTI-1 and in a NIfTI-2 header (nifti1.h, nifti2.h).
  const auto integer = [&](std::size_t first, std::size_t offset2) {
    return second ? int(nifti_field<std::int32_t>(bytes, offset2, h.swapped))
                  : int(nifti_field<std::int16_t>(bytes, first, h.swapped));
  };
  const auto real = [&](std::size_t offset1, std::size_t offset2) {
    return second ? nifti_field<double>(bytes, offset2, h.swapped)
                  : double(nifti_field<float>(bytes, offset1, h.swapped));
  };
  for (std::size_t i = 0; i < 8; ++i) {
    h.dim[i] = second ? nifti_field<std::int64_t>(bytes, 16 + 8 * i, h.swapped)
                      : nifti_field<std::int16_t>(bytes, 40 + 2 * i, h.swapped);
    h.pixdim[i] = real(76 + 4 * i, 104 + 8 * i);
  }
  h.datatype = nifti_field<std::int16_t>(bytes, second ? 12 : 70, h.swapped);
  h.bitpix = nifti_field<std::int16_t>(bytes, second ? 14 : 72, h.swapped);
  if (second) {
    h.vox_offset = nifti_field<std::int64_t>(bytes, 168, h.swapped);
    h.units = nifti_field<std::int32_t>(bytes, 500, h.swapped) & 7;
  } else {
    const float offset = nifti_field<float>(bytes, 108, h.swapped);
    h.vox_offset = offset >= 0 && offset < 1e9F ? std::int64_t(offset) : -1;
    h.units = bytes[123] & 7;
  }
  h.slope = real(112, 176);
  h.inter = real(116, 184);
  h.qform_code = integer(252, 344);
  h.sform_code = integer(254, 348);
  for (std::size_t i = 0; i < 3; ++i) {
    h.quatern[i] = real(256 + 4 * i, 352 + 8 * i);
    h.qoffset[i] = real(268 + 4 * i, 376 + 8 * i);
    for (std::size_t j = 0; j < 4; ++j) {
      h.srow(Eigen::Index(i), Eigen::Index(j)) = real(280 + 16 * i + 4 * j, 400 + 32 * i + 8 * j);
    }
  }
  return h;
}

/// The qform's affine to RAS. Throws Error(geometry) for a quaternion longer than 1.
ICHDET_INLINE Eigen::Matrix4d qform_affine(const NiftiHeader& h, const std::string& name) {
  const auto [b, c, d] = h.quatern;
  const double rest = 1 - (b * b + c * c + d * d);
  if (!(rest > -1e-5)) {
    throw Error::mismatch(ErrorCode::geometry, name + ", qform", "a unit quaternion",
                          "a squared length of " + std::to_string(1 - rest));
  }
  // Three single precision epsilons: below them w is noise (as nibabel's fillpositive).
  const double w = rest < 3.6e-7 ? 0 : std::sqrt(rest);
  Eigen::Matrix4d affine = Eigen::Matrix4d::Identity();
  const double qfac = h.pixdim[0] < 0 ? -1 : 1;
  affine.topLeftCorner<3, 3>() = Eigen::Quaterniond(w, b, c, d).normalized().toRotationMatrix() *
                                 Eigen::Vector3d(h.pixdim[1], h.pixdim[2], h.pixdim[3] * qfac).asDiagonal();
  affine.topRightCorner<3, 1>() << h.qoffset[0], h.qoffset[1], h.qoffset[2];
  return affine;
}

ICHDET_INLINE Geometry nifti_geometry(const NiftiHeader& h, const std::string& name,
                                      std::vector<std::string>& assumptions) {
  const auto dimensions = h.dim[0];
  if (dimensions < 2 || dimensions > 7) {
    throw Error::mismatch(ErrorCode::io, name + ", NIfTI dim[0]", "2 to 7 dimensions", std::to_string(dimensions));
  }
  Geometry::Size size{h.dim[1], h.dim[2], dimensions > 2 ? h.dim[3] : 1};
  for (const auto n : size) {
    if (n < 1)
      throw Error::mismatch(ErrorCode::io, name + ", NIfTI dim", "at least 1 voxel per axis", std::to_string(n));
  }
  for (std::int64_t i = 4; i <= dimensions; ++i) {
    if (h.dim[std::size_t(i)] > 1) {
      throw Error::mismatch(ErrorCode::io, name + ", NIfTI dim[" + std::to_string(i) + "]", "one volume",
                            std::to_string(h.dim[std::size_t(i)]));
    }
  }
  const bool has_sform = h.sform_code > 0;
  const bool has_qform = h.qform_code > 0;
  Eigen::Matrix4d affine = Eigen::Matrix4d::Identity();
  if (has_sform) {
    affine = h.srow;
  } else if (has_qform) {
    affine = qform_affine(h, name);
  } else {
    affine.diagonal().head<3>() << -h.pixdim[1], h.pixdim[2], h.pixdim[3];
    for (int i = 0; i < 3; ++i) affine(i, 3) = -affine(i, i) * double(size[std::size_t(i)] - 1) / 2;
    assumptions.push_back(name +
                          ": neither sform nor qform is set; x is taken to run to the left, y to the front, z to "
                          "the head, centred, by pixdim alone");
  }
  double to_mm = 1;
  if (h.units == 1) to_mm = 1e3;
  if (h.units == 3) to_mm = 1e-3;
  if (h.units == 1 || h.units == 3) {
    assumptions.push_back(name + ": lengths are in " + (h.units == 1 ? "metres" : "micrometres") +
                          " by xyzt_units and were converted to millimetres");
  } else if (h.units != 2) {
    assumptions.push_back(name + ": no unit of length is stated; millimetres are assumed");
  }
  const Eigen::Vector4d to_lps(-to_mm, -to_mm, to_mm, 1);
  try {
    Geometry grid(size, to_lps.asDiagonal() * affine);
    if (has_sform && has_qform) {
      Geometry other = grid;
      bool usable = true;
      try {
        other = Geometry(size, to_lps.asDiagonal() * qform_affine(h, name));
      } catch (const Error&) {
        usable = false;
      }
      if (!usable || !grid.same_as(other, {0.1})) {
        assumptions.push_back(name + ": the sform was used; the qform " +
                              (usable ? "places the voxels elsewhere, by more than 0.1 mm" : "makes no grid"));
      }
    }
    return grid;
  } catch (const Error& e) {
    throw Error(ErrorCode::geometry, name + ", " +
                                         (has_sform   ? "sform"
                                          : has_qform ? "qform"
                                                      : "pixdim") +
                                         ": " + e.what());
  }
}

ICHDET_INLINE std::vector<std::uint8_t> make_nifti_header(const Geometry& grid, int datatype, int bitpix,
                                                          std::int64_t vox_offset, bool labels) {
  static_assert(std::endian::native == std::endian::little, "ichdet writes NIfTI in native byte order");
  const Eigen::Matrix4d affine = Eigen::Vector4d(-1, -1, 1, 1).asDiagonal() * grid.affine();
  const Eigen::Vector3d spacing = grid.spacing_mm();
  Eigen::Matrix3d rotation = affine.topLeftCorner<3, 3>() * spacing.cwiseInverse().asDiagonal();
  const bool sheared = (rotation.transpose() * rotation - Eigen::Matrix3d::Identity()).cwiseAbs().maxCoeff() > 1e-4;
  const bool mirrored = rotation.determinant() < 0;
  if (mirrored) rotation.col(2) = -rotation.col(2);
  Eigen::Quaterniond q = Eigen::Quaterniond(rotation).normalized();
  if (q.w() < 0) q.coeffs() = -q.coeffs();

  std::vector<std::uint8_t> h(nifti1_size, 0);
  nifti_put(h, 0, std::int32_t(nifti1_size));
  h[38] = 'r';  // "regular", which some readers of the older format ask for
  const std::int16_t dim[8] = {
      3, std::int16_t(grid.size()[0]), std::int16_t(grid.size()[1]), std::int16_t(grid.size()[2]), 1, 1, 1, 1};
  const double pixdim[8] = {mirrored ? -1.0 : 1.0, spacing[0], spacing[1], spacing[2], 0, 0, 0, 0};
  for (std::size_t i = 0; i < 8; ++i) {
    nifti_put(h, 40 + 2 * i, dim[i]);
    nifti_put(h, 76 + 4 * i, float(pixdim[i]));
  }
  nifti_put(h, 68, std::int16_t(labels ? 1002 : 0));  // NIFTI_INTENT_LABEL
  nifti_put(h, 70, std::int16_t(datatype));
  nifti_put(h, 72, std::int16_t(bitpix));
  nifti_put(h, 108, float(vox_offset));
  nifti_put(h, 112, 1.0F);
  h[123] = 2;  // mm
  std::memcpy(h.data() + 148, "ichdet", 6);
  nifti_put(h, 252, std::int16_t(sheared ? 0 : 1));
  nifti_put(h, 254, std::int16_t(1));
  if (!sheared) {
    nifti_put(h, 256, float(q.x()));
    nifti_put(h, 260, float(q.y()));
    nifti_put(h, 264, float(q.z()));
  }
  for (std::size_t i = 0; i < 3; ++i) {
    if (!sheared) nifti_put(h, 268 + 4 * i, float(affine(Eigen::Index(i), 3)));
    for (std::size_t j = 0; j < 4; ++j)
      nifti_put(h, 280 + 16 * i + 4 * j, float(affine(Eigen::Index(i), Eigen::Index(j))));
  }
  std::memcpy(h.data() + 344, "n+1", 4);
  return h;
}

}  // namespace ichdet::io::detail
