#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "ichdet/core/config.hpp"

namespace ichdet {

/// An 8-bit picture: grey (1 channel) or RGB (3), row after row from the top, channels interleaved.
struct Image {
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::int64_t channels = 1;         ///< 1 or 3
  std::vector<std::uint8_t> pixels;  ///< rows * columns * channels values

  Image() = default;
  /// Filled with `fill`. Throws Error(shape) unless rows and columns are positive and channels 1 or 3.
  Image(std::int64_t rows, std::int64_t columns, std::int64_t channels, std::uint8_t fill = 0);

  /// The first channel of one pixel.
  std::uint8_t* at(std::int64_t row, std::int64_t column) noexcept {
    return pixels.data() + (row * columns + column) * channels;
  }
  const std::uint8_t* at(std::int64_t row, std::int64_t column) const noexcept {
    return pixels.data() + (row * columns + column) * channels;
  }
};

namespace io {

/// The bytes of a PNG file (libpng, no time stamp). The same picture gives the same bytes with the same libpng and
/// zlib. Throws Error(shape) where the picture contradicts itself.
std::vector<std::uint8_t> encode_png(const Image& image);

/// Grey pictures become 1 channel, all others RGB over black. Throws Error(io) that names `name` on malformed bytes,
/// and Error(limit) above 2^28 pixels.
Image decode_png(std::span<const std::uint8_t> bytes, const std::string& name = "PNG");

/// Throws Error(io) that names the file.
void write_png(const std::filesystem::path& path, const Image& image);
Image read_png(const std::filesystem::path& path);

}  // namespace io

}  // namespace ichdet

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/io/png_inl.hpp"
#endif
