#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "ichdet/core/error.hpp"
#include "ichdet/io/dicom_pixels.hpp"
#include "ichdet/io/dicom_tags.hpp"

namespace ichdet::io {
namespace detail {

std::string inflated(const std::filesystem::path& file, const DicomLimits& limits);

ICHDET_INLINE std::uint64_t frame_bytes(const PixelLayout& layout) {
  return std::uint64_t(layout.rows) * std::uint64_t(layout.columns) * std::uint64_t(layout.bits_allocated / 8);
}

ICHDET_INLINE bool is_native(TransferSyntax syntax) {
  return syntax == TransferSyntax::implicit_little || syntax == TransferSyntax::explicit_little ||
         syntax == TransferSyntax::explicit_big || syntax == TransferSyntax::deflated;
}

/// Calls `body(i, stored)` with each pixel's value, as pydicom has it: shifted up and down again by the unused bits.
/// Bodies capture by value, so that the loops can be vectorized.
template <class Word, class Body>
void for_each_stored(std::span<const std::uint8_t> bytes, int bits_stored, Body body) {
  const std::size_t count = bytes.size() / sizeof(Word);
  const std::uint8_t* const data = bytes.data();
  const int unused = int(8 * sizeof(Word)) - bits_stored;
  const auto word_at = [data](std::size_t i) {
    Word word;
    std::memcpy(&word, data + i * sizeof(Word), sizeof(Word));
    return word;
  };
  if (unused == 0) {
    for (std::size_t i = 0; i < count; ++i) body(i, std::int32_t(word_at(i)));
  } else {
    for (std::size_t i = 0; i < count; ++i) body(i, std::int32_t(Word(Word(word_at(i) << unused) >> unused)));
  }
}

template <class Body>
void for_each_stored(std::span<const std::uint8_t> bytes, const PixelLayout& layout, Body&& body) {
  if (layout.bits_allocated == 8) {
    if (layout.is_signed) {
      for_each_stored<std::int8_t>(bytes, layout.bits_stored, body);
    } else {
      for_each_stored<std::uint8_t>(bytes, layout.bits_stored, body);
    }
  } else if (layout.is_signed) {
    for_each_stored<std::int16_t>(bytes, layout.bits_stored, body);
  } else {
    for_each_stored<std::uint16_t>(bytes, layout.bits_stored, body);
  }
}

}  // namespace detail

ICHDET_INLINE FrameReader::FrameReader(const std::filesystem::path& file, const PixelLayout& layout,
                                       const DicomLimits& limits)
    : file_(file),
      layout_(layout),
      source_(layout.syntax == TransferSyntax::deflated ? ByteSource(detail::inflated(file, limits))
                                                        : ByteSource(file)) {
  if (layout_.syntax == TransferSyntax::other) {
    throw Error::mismatch(ErrorCode::dicom, tag_in_file(file_, tag::transfer_syntax_uid),
                          "uncompressed, deflated, JPEG lossless, JPEG-LS, JPEG 2000 or RLE",
                          layout_.transfer_syntax_uid);
  }
  if (detail::is_native(layout_.syntax) == layout_.encapsulated) {
    fail(layout_.encapsulated ? "a defined length" : "fragments",
         layout_.encapsulated ? "fragments" : "a defined length");
  }
  if (layout_.encapsulated) {
    find_fragments();
    return;
  }
  const std::uint64_t expected = detail::frame_bytes(layout_) * std::uint64_t(layout_.frames);
  const std::uint64_t present = source_.size() - std::min(source_.size(), layout_.offset);
  if (layout_.bytes < expected || present < expected) {
    fail(std::to_string(expected) + " bytes",
         std::to_string(std::min(layout_.bytes, present)) +
             (present < layout_.bytes ? " before the end of the file (cut off?)" : ""));
  }
}

ICHDET_INLINE void FrameReader::fail(const std::string& expected, const std::string& found) const {
  throw Error::mismatch(ErrorCode::dicom, tag_in_file(file_, tag::pixel_data), expected, found);
}

ICHDET_INLINE void FrameReader::find_fragments() {
  std::vector<Range> fragments;
  std::vector<std::uint32_t> table;
  std::uint64_t offset = layout_.offset;
  const auto number = [](const std::uint8_t* bytes) {
    return std::uint32_t(bytes[0]) | std::uint32_t(bytes[1]) << 8 | std::uint32_t(bytes[2]) << 16 |
           std::uint32_t(bytes[3]) << 24;
  };
  for (bool first = true;; first = false) {
    const auto* head = source_.look(offset, 8);
    if (head == nullptr) fail("the end of the fragments", "the end of the file (cut off?)");
    const bool item = number(head) == 0xE000FFFE;
    if (!item && number(head) == 0xE0DDFFFE) break;
    const std::uint64_t bytes = number(head + 4);
    offset += 8;
    if (!item || bytes > source_.size() - offset) fail("a fragment within the file", "damage or its end (cut off?)");
    if (first) {
      table.resize(std::size_t(bytes / 4));
      for (auto& entry : table) {
        entry = number(source_.look(offset + 4 * std::uint64_t(&entry - table.data()), 4));
      }
    } else {
      fragments.emplace_back(offset, bytes);
    }
    offset += bytes;
    if (fragments.size() > 4'000'000) fail("at most 4000000 fragments", "more");
  }
  const auto frames = std::size_t(layout_.frames);
  if (frames == 1) {
    if (fragments.empty()) fail("at least one fragment", "none");
    frames_.push_back(std::move(fragments));
    return;
  }
  if (fragments.size() == frames) {
    for (const auto& fragment : fragments) frames_.push_back({fragment});
    return;
  }
  if (table.size() != frames || fragments.empty()) {
    fail("a fragment for each of " + std::to_string(frames) + " frames, or a table of offsets",
         std::to_string(fragments.size()) + " fragments and " + std::to_string(table.size()) + " offsets");
  }
  const std::uint64_t start = fragments.front().first - 8;
  for (const auto& fragment : fragments) {
    const std::uint64_t at = fragment.first - 8 - start;
    if (frames_.size() < frames && at == table[frames_.size()]) frames_.emplace_back();
    if (frames_.empty()) fail("a first offset of 0", std::to_string(table.front()));
    frames_.back().push_back(fragment);
  }
  if (frames_.size() != frames) fail("offsets that point to fragments", "others");
}

ICHDET_INLINE void FrameReader::read(std::int64_t frame, std::span<std::uint8_t> out) {
  if (!layout_.encapsulated) {
    const std::uint64_t bytes = detail::frame_bytes(layout_);
    if (!source_.read(layout_.offset + std::uint64_t(frame) * bytes, bytes, out.data())) {
      fail(std::to_string(bytes) + " bytes for frame " + std::to_string(frame), "the end of the file");
    }
    const bool file_is_big = layout_.syntax == TransferSyntax::explicit_big;
    if (layout_.bits_allocated == 16 && file_is_big != (std::endian::native == std::endian::big)) {
      for (std::size_t i = 0; i + 1 < out.size(); i += 2) std::swap(out[i], out[i + 1]);
    }
    return;
  }
  std::uint64_t bytes = 0;
  for (const auto& fragment : frames_[std::size_t(frame)]) bytes += fragment.second;
  // No lossless code of these needs more than a header and a few bytes beyond twice the pixels.
  if (bytes > 2 * detail::frame_bytes(layout_) + (1 << 20)) {
    fail("at most twice the bytes of the decoded frame", std::to_string(bytes));
  }
  std::string stream(std::size_t(bytes), '\0');
  std::size_t done = 0;
  for (const auto& fragment : frames_[std::size_t(frame)]) {
    source_.read(fragment.first, fragment.second, stream.data() + done);
    done += std::size_t(fragment.second);
  }
  const std::span bytes_of_stream(reinterpret_cast<const std::uint8_t*>(stream.data()), stream.size());
  if (layout_.syntax == TransferSyntax::rle) {
    decode_rle(bytes_of_stream, layout_, file_, out);
  } else if (layout_.syntax == TransferSyntax::jpeg_lossless) {
    decode_jpeg_lossless(bytes_of_stream, layout_, file_, out);
  } else {
    decode_with_gdcm(stream, layout_, file_, out);
  }
}

ICHDET_INLINE void to_hu(std::span<const std::uint8_t> stored, const PixelLayout& layout, double slope,
                         double intercept, std::span<float> hu) {
  float* const out = hu.data();
  if (slope == 1 && intercept == std::round(intercept) && std::abs(intercept) < (1 << 23)) {
    // Whole numbers below 2^24 are exact as float, in whatever way they are computed.
    const auto shift = std::int32_t(intercept);
    detail::for_each_stored(stored, layout,
                            [out, shift](std::size_t i, std::int32_t value) { out[i] = float(value + shift); });
    return;
  }
  // A table of every possible value; volatile keeps the compiler from fusing multiply and add into one rounding.
  const std::int32_t lowest = layout.is_signed ? -(1 << (layout.bits_stored - 1)) : 0;
  std::vector<float> table(std::size_t(1) << layout.bits_stored);
  for (std::size_t k = 0; k < table.size(); ++k) {
    const volatile double product = slope * (double(lowest) + double(k));
    table[k] = float(product + intercept);
  }
  detail::for_each_stored(stored, layout,
                          [&](std::size_t i, std::int32_t value) { out[i] = table[std::size_t(value - lowest)]; });
}

ICHDET_INLINE bool mark_padding(std::span<const std::uint8_t> stored, const PixelLayout& layout,
                                std::span<std::uint8_t> mask) {
  if (!layout.padding_value) {
    std::fill(mask.begin(), mask.end(), std::uint8_t(0));
    return false;
  }
  const std::int32_t a = *layout.padding_value, b = layout.padding_limit.value_or(a);
  const std::int32_t low = std::min(a, b), high = std::max(a, b);
  const auto span = std::uint32_t(high - low);
  std::uint8_t* const out = mask.data();
  detail::for_each_stored(stored, layout, [out, low, span](std::size_t i, std::int32_t value) {
    out[i] = std::uint32_t(value - low) <= span ? 1 : 0;
  });
  return std::memchr(mask.data(), 1, mask.size()) != nullptr;
}

}  // namespace ichdet::io
