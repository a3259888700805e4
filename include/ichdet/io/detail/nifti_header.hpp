#pragma once

#include <Eigen/Core>
#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "ichdet/core/config.hpp"
#include "ichdet/core/geometry.hpp"

namespace ichdet::io::detail {

/// What ichdet needs of a NIfTI-1 or NIfTI-2 header, in native byte order.
struct NiftiHeader {
  bool swapped = false;  ///< the voxels are in the other byte order
  std::array<std::int64_t, 8> dim{};
  std::array<double, 8> pixdim{};
  int datatype = 0, bitpix = 0;
  std::int64_t vox_offset = 0;
  double slope = 0, inter = 0;
  int units = 0;
  int qform_code = 0, sform_code = 0;
  std::array<double, 3> quatern{}, qoffset{};
  Eigen::Matrix4d srow = Eigen::Matrix4d::Identity();
};

/// A value of type T at `offset`, its bytes reversed where `swapped`.
template <class T>
T nifti_field(std::span<const std::uint8_t> bytes, std::size_t offset, bool swapped) {
  std::array<std::uint8_t, sizeof(T)> raw;
  std::copy_n(bytes.begin() + std::ptrdiff_t(offset), sizeof(T), raw.begin());
  if (swapped) std::reverse(raw.begin(), raw.end());
  return std::bit_cast<T>(raw);
}

/// The reverse, in native byte order.
template <class T>
void nifti_put(std::vector<std::uint8_t>& bytes, std::size_t offset, T value) {
  const auto raw = std::bit_cast<std::array<std::uint8_t, sizeof(T)>>(value);
  std::copy(raw.begin(), raw.end(), bytes.begin() + std::ptrdiff_t(offset));
}

constexpr std::size_t nifti1_size = 348, nifti2_size = 540;

/// Which header starts with these 4 bytes: 348, 540, or 0 for none.
std::size_t nifti_header_size(std::span<const std::uint8_t> first_four);

/// Reads the fields. Throws Error(io), naming `name`, unless the magic is that of a single file.
NiftiHeader parse_nifti_header(std::span<const std::uint8_t> bytes, const std::string& name);

/// The grid, by the rules of Note [NIfTI]; what was chosen goes to `assumptions`. Throws Error(io), Error(geometry).
Geometry nifti_geometry(const NiftiHeader& header, const std::string& name, std::vector<std::string>& assumptions);

/// The 348 bytes of a NIfTI-1 header for a grid.
std::vector<std::uint8_t> make_nifti_header(const Geometry& grid, int datatype, int bitpix, std::int64_t vox_offset,
                                            bool labels);

}  // namespace ichdet::io::detail

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/io/nifti_header_inl.hpp"
#endif
