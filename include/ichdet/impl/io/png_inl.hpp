#pragma once

#include <png.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

#include "ichdet/core/error.hpp"
#include "ichdet/io/png.hpp"

namespace ichdet {

namespace detail {

ICHDET_INLINE void check_image_shape(std::int64_t rows, std::int64_t columns, std::int64_t channels) {
  if (rows >= 1 && columns >= 1 && (channels == 1 || channels == 3)) return;
  throw Error::mismatch(ErrorCode::shape, "picture", "at least one row and column of 1 or 3 channels",
                        std::to_string(rows) + " x " + std::to_string(columns) + " x " + std::to_string(channels));
}

/// Differences to the row above, compressed lightly: a picture of a slice takes a sixth of the time that libpng's usual
/// settings take, and is a tenth larger. libpng reports errors by longjmp: nothing here may have a destructor.
inline bool write_rows(png_structp png, png_infop info, const Image& image) {
  if (setjmp(png_jmpbuf(png)) != 0) return false;
  png_set_IHDR(png, info, static_cast<png_uint_32>(image.columns), static_cast<png_uint_32>(image.rows), 8,
               image.channels == 1 ? PNG_COLOR_TYPE_GRAY : PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_set_filter(png, PNG_FILTER_TYPE_BASE, PNG_FILTER_UP);
  png_set_compression_level(png, 1);
  png_set_compression_strategy(png, 0);
  png_set_sRGB(png, info, PNG_sRGB_INTENT_PERCEPTUAL);
  png_write_info(png, info);
  const auto stride = static_cast<std::size_t>(image.columns * image.channels);
  for (std::int64_t row = 0; row < image.rows; ++row) {
    png_write_row(png, image.pixels.data() + static_cast<std::size_t>(row) * stride);
  }
  png_write_end(png, info);
  return true;
}

/// libpng's simplified interface needs no longjmp; this frees what it holds, whatever is thrown.
struct PngHandle {
  png_image image{};
  PngHandle() { image.version = PNG_IMAGE_VERSION; }
  ~PngHandle() { png_image_free(&image); }
  PngHandle(const PngHandle&) = delete;
  PngHandle& operator=(const PngHandle&) = delete;
};

}  // namespace detail

ICHDET_INLINE Image::Image(std::int64_t rows_, std::int64_t columns_, std::int64_t channels_, std::uint8_t fill)
    : rows(rows_), columns(columns_), channels(channels_) {
  detail::check_image_shape(rows, columns, channels);
  pixels.assign(static_cast<std::size_t>(rows * columns * channels), fill);
}

namespace io {

ICHDET_INLINE std::vector<std::uint8_t> encode_png(const Image& image) {
  ichdet::detail::check_image_shape(image.rows, image.columns, image.channels);
  if (std::int64_t(image.pixels.size()) != image.rows * image.columns * image.channels) {
    throw Error::mismatch(ErrorCode::shape, "picture",
                          std::to_string(image.rows * image.columns * image.channels) + " values",
                          std::to_string(image.pixels.size()));
  }
  struct Writing {
    std::vector<std::uint8_t> bytes;
    std::string error;
  } writing;
  const auto append = [](png_structp png, png_bytep data, std::size_t size) {
    auto& bytes = static_cast<Writing*>(png_get_io_ptr(png))->bytes;
    bytes.insert(bytes.end(), data, data + size);
  };
  const auto fail = [](png_structp png, png_const_charp message) {
    static_cast<Writing*>(png_get_error_ptr(png))->error = message;
    png_longjmp(png, 1);
  };
  auto* png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &writing, fail, [](png_structp, png_const_charp) {});
  auto* info = png == nullptr ? nullptr : png_create_info_struct(png);
  if (info != nullptr) png_set_write_fn(png, &writing, append, nullptr);
  const bool done = info != nullptr && ichdet::detail::write_rows(png, info, image);
  png_destroy_write_struct(&png, &info);
  if (!done) throw Error(ErrorCode::io, "PNG: " + (writing.error.empty() ? "out of memory" : writing.error));
  return writing.bytes;
}

ICHDET_INLINE Image decode_png(std::span<const std::uint8_t> bytes, const std::string& name) {
  ichdet::detail::PngHandle png;
  if (!png_image_begin_read_from_memory(&png.image, bytes.data(), bytes.size())) {
    throw Error(ErrorCode::io, name + ": " + png.image.message);
  }
  const std::int64_t pixels = std::int64_t(png.image.width) * png.image.height;
  if (pixels > (std::int64_t(1) << 28)) {
    throw Error::mismatch(ErrorCode::limit, name, "at most 2^28 pixels", std::to_string(pixels));
  }
  const bool grey = (png.image.format & PNG_FORMAT_FLAG_COLOR) == 0;
  png.image.format = grey ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
  Image image(png.image.height, png.image.width, grey ? 1 : 3);
  const png_color black{0, 0, 0};
  if (!png_image_finish_read(&png.image, &black, image.pixels.data(), 0, nullptr)) {
    throw Error(ErrorCode::io, name + ": " + png.image.message);
  }
  return image;
}

ICHDET_INLINE void write_png(const std::filesystem::path& path, const Image& image) {
  const auto bytes = encode_png(image);
  errno = 0;
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(reinterpret_cast<const char*>(bytes.data()), std::streamsize(bytes.size()));
  file.close();
  if (!file) throw Error(ErrorCode::io, path.string() + ": cannot be written: " + std::strerror(errno));
}

ICHDET_INLINE Image read_png(const std::filesystem::path& path) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Error(ErrorCode::io, path.string() + ": cannot be read: " + std::strerror(errno));
  const std::vector<std::uint8_t> bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  return decode_png(bytes, path.string());
}

}  // namespace io

}  // namespace ichdet
