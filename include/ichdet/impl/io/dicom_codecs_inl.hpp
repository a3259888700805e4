#pragma once

#include <gdcmByteValue.h>
#include <gdcmDataElement.h>
#include <gdcmFragment.h>
#include <gdcmJPEG2000Codec.h>
#include <gdcmJPEGLSCodec.h>
#include <gdcmPhotometricInterpretation.h>
#include <gdcmPixelFormat.h>
#include <gdcmSequenceOfFragments.h>
#include <gdcmTag.h>
#include <gdcmTrace.h>

#include <algorithm>
#include <cstring>
#include <exception>

#include "ichdet/core/error.hpp"
#include "ichdet/impl/io/codec_failure.hpp"
#include "ichdet/io/dicom_pixels.hpp"
#include "ichdet/io/dicom_tags.hpp"

namespace ichdet::io {
namespace detail {

/// Size and precision that a compressed stream states of itself.
struct StreamHeader {
  std::int64_t rows = 0, columns = 0;
  int components = 0, precision = 0;
};

class BigEndianBytes {
 public:
  BigEndianBytes(const std::string& bytes, const std::filesystem::path& file) : bytes_(bytes), file_(file) {}
  std::uint32_t at(std::size_t offset, std::size_t count) const {
    if (offset > bytes_.size() || count > bytes_.size() - offset) {
      codec_failure(file_, "a complete compressed stream", "its end within a header (cut off?)");
    }
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < count; ++i) value = value << 8 | std::uint8_t(bytes_[offset + i]);
    return value;
  }

 private:
  const std::string& bytes_;
  const std::filesystem::path& file_;
};

/// JPEG-LS (ITU-T T.87): the frame header before the first scan.
ICHDET_INLINE StreamHeader jpeg_ls_header(const std::string& stream, const std::filesystem::path& file) {
  const BigEndianBytes bytes(stream, file);
  if (bytes.at(0, 2) != 0xFFD8) codec_failure(file, "a JPEG-LS stream", "another kind of bytes");
  StreamHeader header;
  std::size_t offset = 2;
  while (true) {
    while (bytes.at(offset, 2) == 0xFFFF) ++offset;  // fill bytes
    const std::uint32_t marker = bytes.at(offset, 2);
    const std::uint32_t length = bytes.at(offset + 2, 2);
    if (marker < 0xFF01 || length < 2) codec_failure(file, "a segment of a JPEG-LS stream", "damage");
    if (marker == 0xFFDA) break;
    if (marker >= 0xFFC0 && marker <= 0xFFCF) codec_failure(file, "a JPEG-LS stream", "another JPEG process");
    if (marker == 0xFFF7) {
      if (header.components != 0) codec_failure(file, "one JPEG-LS frame", "two");
      header.precision = int(bytes.at(offset + 4, 1));
      header.rows = bytes.at(offset + 5, 2);
      header.columns = bytes.at(offset + 7, 2);
      header.components = int(bytes.at(offset + 9, 1));
    }
    offset += 2 + length;
  }
  return header;
}

/// JPEG 2000 (ITU-T T.800): the SIZ segment, which comes first.
ICHDET_INLINE StreamHeader jpeg_2000_header(const std::string& stream, const std::filesystem::path& file) {
  const BigEndianBytes bytes(stream, file);
  if (bytes.at(0, 4) != 0xFF4FFF51) codec_failure(file, "a JPEG 2000 code stream", "another kind of bytes");
  StreamHeader header;
  const std::uint32_t x0 = bytes.at(16, 4), y0 = bytes.at(20, 4);
  header.columns = std::int64_t(bytes.at(8, 4)) - x0;
  header.rows = std::int64_t(bytes.at(12, 4)) - y0;
  header.components = int(bytes.at(40, 2));
  header.precision = int(bytes.at(42, 1) & 0x7F) + 1;
  const std::int64_t tile_columns = bytes.at(24, 4), tile_rows = bytes.at(28, 4);
  if (x0 != 0 || y0 != 0 || bytes.at(32, 4) != 0 || bytes.at(36, 4) != 0 || tile_columns < 1 || tile_rows < 1 ||
      ((header.columns + tile_columns - 1) / tile_columns) * ((header.rows + tile_rows - 1) / tile_rows) > 65535 ||
      bytes.at(43, 2) != 0x0101) {
    codec_failure(file, "a plain JPEG 2000 image", "offsets, tiles or subsampling that a CT image does not have");
  }
  return header;
}

/// GDCM writes what it thinks of damaged streams to stderr; ichdet says it in an Error.
ICHDET_INLINE void silence_gdcm() {
  static const bool silent = [] {
    gdcm::Trace::DebugOff();
    gdcm::Trace::WarningOff();
    gdcm::Trace::ErrorOff();
    return true;
  }();
  static_cast<void>(silent);
}

template <class Codec>
bool decode_through(const std::string& stream, const PixelLayout& layout, std::span<std::uint8_t> out) {
  Codec codec;
  const unsigned dimensions[3] = {unsigned(layout.columns), unsigned(layout.rows), 1};
  codec.SetNumberOfDimensions(2);
  codec.SetDimensions(dimensions);
  codec.SetPixelFormat(gdcm::PixelFormat(1, std::uint16_t(layout.bits_allocated), std::uint16_t(layout.bits_stored),
                                         std::uint16_t(layout.high_bit), layout.is_signed ? 1 : 0));
  codec.SetPhotometricInterpretation(gdcm::PhotometricInterpretation::MONOCHROME2);
  codec.SetPlanarConfiguration(0);
  gdcm::Fragment fragment;
  fragment.SetByteValue(stream.data(), std::uint32_t(stream.size()));
  const gdcm::SmartPointer<gdcm::SequenceOfFragments> fragments = new gdcm::SequenceOfFragments;
  fragments->AddFragment(fragment);
  gdcm::DataElement packed(gdcm::Tag(0x7FE0, 0x0010), 0, gdcm::VR::OB), pixels;
  packed.SetValue(*fragments);
  if (!codec.Decode(packed, pixels)) return false;
  const gdcm::ByteValue* value = pixels.GetByteValue();
  return value != nullptr && value->GetLength() >= out.size() &&
         value->GetBuffer(reinterpret_cast<char*>(out.data()), out.size());
}

}  // namespace detail

ICHDET_INLINE void decode_with_gdcm(const std::string& stream, const PixelLayout& layout,
                                    const std::filesystem::path& file, std::span<std::uint8_t> out) {
  const bool jpeg_2000 = layout.syntax == TransferSyntax::jpeg_2000;
  const auto header = jpeg_2000 ? detail::jpeg_2000_header(stream, file) : detail::jpeg_ls_header(stream, file);
  const auto size = [](std::int64_t rows, std::int64_t columns, int components, int bytes) {
    return std::to_string(rows) + " x " + std::to_string(columns) + ", " + std::to_string(components) + " component, " +
           std::to_string(bytes) + " byte(s) each";
  };
  const int bytes_each = header.precision <= 8 ? 1 : header.precision <= 16 ? 2 : 4;
  if (header.rows != layout.rows || header.columns != layout.columns || header.components != 1 ||
      bytes_each != layout.bits_allocated / 8) {
    detail::codec_failure(
        file, size(layout.rows, layout.columns, 1, layout.bits_allocated / 8) + " as in the header",
        size(header.rows, header.columns, header.components, bytes_each) + " in the compressed stream");
  }
  detail::silence_gdcm();
  bool decoded = false;
  try {
    decoded = jpeg_2000 ? detail::decode_through<gdcm::JPEG2000Codec>(stream, layout, out)
                        : detail::decode_through<gdcm::JPEGLSCodec>(stream, layout, out);
  } catch (const std::exception& e) {
    detail::codec_failure(file, "a stream that GDCM decodes", e.what());
  }
  if (!decoded) detail::codec_failure(file, "a stream that GDCM decodes", "damage");
}

ICHDET_INLINE void decode_rle(std::span<const std::uint8_t> stream, const PixelLayout& layout,
                              const std::filesystem::path& file, std::span<std::uint8_t> out) {
  const auto number = [&](std::size_t offset) {
    return std::uint32_t(stream[offset]) | std::uint32_t(stream[offset + 1]) << 8 |
           std::uint32_t(stream[offset + 2]) << 16 | std::uint32_t(stream[offset + 3]) << 24;
  };
  const auto planes = std::size_t(layout.bits_allocated / 8);
  if (stream.size() < 64) detail::codec_failure(file, "an RLE header of 64 bytes", std::to_string(stream.size()));
  if (number(0) != planes) {
    detail::codec_failure(file, std::to_string(planes) + " RLE segments", std::to_string(number(0)));
  }
  const std::size_t pixels = out.size() / planes;
  for (std::size_t plane = 0; plane < planes; ++plane) {
    std::size_t at = number(4 + 4 * plane);
    const std::size_t end = plane + 1 < planes ? number(8 + 4 * plane) : stream.size();
    if (at < 64 || end > stream.size() || at > end)
      detail::codec_failure(file, "RLE segments within the data", "others");
    std::uint8_t* next = out.data() + (planes - 1 - plane);  // the most significant byte comes first
    std::size_t left = pixels;
    while (left > 0) {
      if (at >= end) detail::codec_failure(file, std::to_string(pixels) + " pixels in an RLE segment", "fewer");
      const int control = std::int8_t(stream[at++]);
      if (control == -128) continue;
      const std::size_t count = control >= 0 ? std::size_t(control) + 1 : std::size_t(1 - control);
      const std::size_t needed = control >= 0 ? count : 1;
      if (needed > end - at || count > left) {
        detail::codec_failure(file, std::to_string(pixels) + " pixels in an RLE segment", "a run beyond its end");
      }
      for (std::size_t i = 0; i < count; ++i, next += planes) *next = stream[control >= 0 ? at + i : at];
      at += needed;
      left -= count;
    }
  }
}

}  // namespace ichdet::io
