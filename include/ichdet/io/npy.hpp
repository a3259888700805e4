#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "ichdet/core/config.hpp"

namespace ichdet::io {

/// A NumPy file (.npy, version 1.0) of little-endian values, row-major: `numpy.load` gives float32 or int64 of this
/// shape. Written to a file beside it first, then renamed. Throws Error(shape) where the shape holds another number
/// of values, Error(io) where it cannot be written.
/// @{
void write_npy(const std::filesystem::path& path, std::span<const float> values,
               const std::vector<std::int64_t>& shape);
void write_npy(const std::filesystem::path& path, std::span<const std::int64_t> values,
               const std::vector<std::int64_t>& shape);
/// @}

}  // namespace ichdet::io

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/io/npy_inl.hpp"
#endif
