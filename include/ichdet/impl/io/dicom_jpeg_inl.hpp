#pragma once

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

#include "ichdet/core/error.hpp"
#include "ichdet/impl/io/codec_failure.hpp"
#include "ichdet/io/dicom_pixels.hpp"
#include "ichdet/io/dicom_tags.hpp"

// Lossless JPEG, process 14 of ITU-T T.81 (annex H), one component. It is decoded here because GDCM 3.0.21 as Debian
// builds it ends the program through an assertion on damaged streams, and starts an external program on others.

namespace ichdet::io {
namespace detail {

/// Huffman codes of up to 16 bits: short ones by table, long ones by length (T.81, F.2.2.3).
struct HuffmanTable {
  static constexpr int table_bits = 10;
  struct Entry {
    std::uint8_t length = 0, category = 0;
  };
  std::array<Entry, 1 << table_bits> quick{};
  std::array<std::int32_t, 18> past_last{};  ///< first code of each length that is too large, in 16 bits; 0: none
  std::array<std::int32_t, 17> to_value{};   ///< index of a code's value is (code >> (16 - length)) + to_value[length]
  std::vector<std::uint8_t> values;
};

ICHDET_INLINE std::optional<HuffmanTable> huffman_table(std::span<const std::uint8_t> counts,
                                                        std::span<const std::uint8_t> values) {
  HuffmanTable table;
  table.values.assign(values.begin(), values.end());
  std::int32_t code = 0, index = 0;
  for (int length = 1; length <= 16; ++length) {
    const std::int32_t count = counts[std::size_t(length) - 1];
    if (code + count > (1 << length)) return std::nullopt;
    table.to_value[std::size_t(length)] = index - code;
    for (std::int32_t i = 0; i < count; ++i, ++code, ++index) {
      const auto value = values[std::size_t(index)];
      if (value > 16) return std::nullopt;
      if (length > HuffmanTable::table_bits) continue;
      const int spare = HuffmanTable::table_bits - length;
      for (std::int32_t k = 0; k < (1 << spare); ++k) {
        table.quick[std::size_t((code << spare) + k)] = {std::uint8_t(length), value};
      }
    }
    table.past_last[std::size_t(length)] = code << (16 - length);
    code <<= 1;
  }
  return table;
}

/// The entropy-coded bits of a scan. Reading past the end gives zeros and is told by `overrun`.
class JpegBits {
 public:
  JpegBits(std::span<const std::uint8_t> bytes, std::size_t offset) : bytes_(bytes), offset_(offset) {}

  /// The next 16 bits, without taking them.
  std::uint32_t peek16() {
    while (count_ < 16) fill();
    return std::uint32_t(buffer_ >> (count_ - 16)) & 0xFFFF;
  }
  void take(int bits) { count_ -= bits; }
  bool overrun() const { return count_ < spare_; }

  /// After a restart marker, if one comes next; false otherwise.
  bool restart() {
    buffer_ = 0;
    count_ = spare_ = 0;
    while (offset_ + 1 < bytes_.size() && bytes_[offset_] == 0xFF && bytes_[offset_ + 1] == 0xFF) ++offset_;
    if (offset_ + 1 >= bytes_.size() || bytes_[offset_] != 0xFF || (bytes_[offset_ + 1] & 0xF8) != 0xD0) return false;
    offset_ += 2;
    return true;
  }

 private:
  void fill() {
    std::uint8_t byte = 0;
    const bool ends = offset_ >= bytes_.size() ||
                      (bytes_[offset_] == 0xFF && (offset_ + 1 >= bytes_.size() || bytes_[offset_ + 1] != 0));
    if (ends) {
      spare_ += 8;
    } else {
      byte = bytes_[offset_];
      offset_ += byte == 0xFF ? 2 : 1;
    }
    buffer_ = buffer_ << 8 | byte;
    count_ += 8;
  }

  std::span<const std::uint8_t> bytes_;
  std::size_t offset_;
  std::uint64_t buffer_ = 0;
  int count_ = 0;  ///< bits in the buffer
  int spare_ = 0;  ///< of them, those behind the end; at most 16 + 7 are ever looked at before overrun tells
};

/// One difference (T.81, H.1.2.2); nothing where the bits are no code.
ICHDET_INLINE std::optional<std::int32_t> next_difference(JpegBits& bits, const HuffmanTable& table) {
  const std::uint32_t window = bits.peek16();
  const auto entry = table.quick[window >> (16 - HuffmanTable::table_bits)];
  int length = entry.length, category = entry.category;
  if (length == 0) {
    length = HuffmanTable::table_bits + 1;
    while (length <= 16 && std::int32_t(window) >= table.past_last[std::size_t(length)]) ++length;
    if (length > 16) return std::nullopt;
    const auto index = std::size_t(std::int32_t(window >> (16 - length)) + table.to_value[std::size_t(length)]);
    if (index >= table.values.size()) return std::nullopt;
    category = table.values[index];
  }
  bits.take(length);
  if (category == 0) return 0;
  if (category == 16) return 32768;
  const auto extra = std::int32_t(bits.peek16() >> (16 - category));
  bits.take(category);
  return extra < (1 << (category - 1)) ? extra - (1 << category) + 1 : extra;
}

/// What stands before the entropy-coded bits.
struct JpegScan {
  int precision = 0, predictor = 0, point_transform = 0, table = 0;
  std::int64_t rows = 0, columns = 0, restart_interval = 0;
  std::size_t bits_offset = 0;
  std::array<std::optional<HuffmanTable>, 4> tables;
};

ICHDET_INLINE JpegScan jpeg_scan(std::span<const std::uint8_t> stream, const std::filesystem::path& file) {
  const auto at = [&](std::size_t offset, std::size_t count) {
    if (offset + count > stream.size())
      codec_failure(file, "a complete JPEG stream", "its end within a header (cut off?)");
    return count == 1 ? int(stream[offset]) : stream[offset] << 8 | stream[offset + 1];
  };
  if (at(0, 2) != 0xFFD8) codec_failure(file, "a JPEG stream", "another kind of bytes");
  JpegScan scan;
  for (std::size_t offset = 2;;) {
    while (at(offset, 2) == 0xFFFF) ++offset;  // fill bytes
    const int marker = at(offset, 2);
    const auto length = std::size_t(at(offset + 2, 2));
    const std::size_t body = offset + 4, end = offset + 2 + length;
    if (marker < 0xFF01 || length < 2 || end > stream.size())
      codec_failure(file, "a segment of a JPEG stream", "damage");
    if (marker == 0xFFC3) {
      if (scan.precision != 0) codec_failure(file, "one JPEG frame", "two");
      scan.precision = at(body, 1);
      scan.rows = at(body + 1, 2);
      scan.columns = at(body + 3, 2);
      if (at(body + 5, 1) != 1) codec_failure(file, "one JPEG component", std::to_string(at(body + 5, 1)));
    } else if (marker == 0xFFC4) {
      for (std::size_t next = body; next < end;) {
        const int id = at(next, 1);
        if (id > 3 || next + 17 > end) codec_failure(file, "a lossless Huffman table from 0 to 3", std::to_string(id));
        const auto counts = stream.subspan(next + 1, 16);
        std::size_t total = 0;
        for (const auto count : counts) total += count;
        if (next + 17 + total > end) codec_failure(file, "a complete Huffman table", "the end of its segment");
        scan.tables[std::size_t(id)] = huffman_table(counts, stream.subspan(next + 17, total));
        if (!scan.tables[std::size_t(id)]) codec_failure(file, "a Huffman table of a lossless image", "another");
        next += 17 + total;
      }
    } else if (marker == 0xFFDD) {
      scan.restart_interval = at(body, 2);
    } else if (marker == 0xFFDA) {
      if (scan.precision == 0) codec_failure(file, "a JPEG frame before its scan", "none");
      if (at(body, 1) != 1 || length != 8) codec_failure(file, "a scan of one component", "another");
      scan.table = at(body + 2, 1) >> 4;
      scan.predictor = at(body + 3, 1);
      scan.point_transform = at(body + 5, 1) & 15;
      scan.bits_offset = end;
      return scan;
    } else if (marker >= 0xFFC0 && marker <= 0xFFCF && marker != 0xFFC8 && marker != 0xFFCC) {
      codec_failure(file, "a lossless JPEG stream with Huffman codes", "another JPEG process");
    }
    offset = end;
  }
}

/// T.81, table H.1. `left`, `above` and `corner` are Ra, Rb and Rc.
ICHDET_INLINE std::int32_t predicted(int predictor, std::int32_t left, std::int32_t above, std::int32_t corner) {
  switch (predictor) {
    case 1: return left;
    case 2: return above;
    case 3: return corner;
    case 4: return left + above - corner;
    case 5: return left + ((above - corner) >> 1);
    case 6: return above + ((left - corner) >> 1);
    default: return (left + above) >> 1;
  }
}

}  // namespace detail

ICHDET_INLINE void decode_jpeg_lossless(std::span<const std::uint8_t> stream, const PixelLayout& layout,
                                        const std::filesystem::path& file, std::span<std::uint8_t> out) {
  const auto scan = detail::jpeg_scan(stream, file);
  const auto size = [](std::int64_t rows, std::int64_t columns) {
    return std::to_string(rows) + " x " + std::to_string(columns);
  };
  if (scan.rows != layout.rows || scan.columns != layout.columns) {
    detail::codec_failure(file, size(layout.rows, layout.columns) + " pixels as in the header",
                          size(scan.rows, scan.columns) + " in the JPEG stream");
  }
  if (scan.precision < 2 || scan.precision > layout.bits_allocated || scan.point_transform >= scan.precision) {
    detail::codec_failure(file, "a precision of 2 to " + std::to_string(layout.bits_allocated) + " bits",
                          std::to_string(scan.precision));
  }
  if (scan.predictor < 1 || scan.predictor > 7) {
    detail::codec_failure(file, "a predictor from 1 to 7", std::to_string(scan.predictor));
  }
  if (scan.restart_interval % scan.columns != 0) {
    detail::codec_failure(file, "a restart interval of whole rows", std::to_string(scan.restart_interval));
  }
  if (scan.table > 3 || !scan.tables[std::size_t(scan.table)]) {
    detail::codec_failure(file, "the scan's Huffman table", "none");
  }
  const auto& table = *scan.tables[std::size_t(scan.table)];
  const std::int64_t restart_rows = scan.restart_interval / scan.columns;
  const auto columns = std::size_t(scan.columns);
  std::vector<std::int32_t> above(columns), row(columns);
  detail::JpegBits bits(stream, scan.bits_offset);
  for (std::int64_t y = 0; y < scan.rows; ++y) {
    const bool restarts = restart_rows > 0 && y > 0 && y % restart_rows == 0;
    if (restarts && !bits.restart())
      detail::codec_failure(file, "a restart marker before row " + std::to_string(y), "none");
    const bool first_row = y == 0 || restarts;
    for (std::size_t x = 0; x < columns; ++x) {
      const auto difference = detail::next_difference(bits, table);
      if (!difference) detail::codec_failure(file, "a Huffman code in row " + std::to_string(y), "none");
      std::int32_t prediction = 0;
      if (first_row) {
        prediction = x == 0 ? 1 << (scan.precision - scan.point_transform - 1) : row[x - 1];
      } else {
        prediction = x == 0 ? above[0] : detail::predicted(scan.predictor, row[x - 1], above[x], above[x - 1]);
      }
      row[x] = (prediction + *difference) & 0xFFFF;
    }
    if (bits.overrun()) {
      detail::codec_failure(file, std::to_string(scan.rows) + " rows in the JPEG stream",
                            "its end in row " + std::to_string(y) + " (cut off?)");
    }
    const std::size_t start = std::size_t(y) * columns;
    for (std::size_t x = 0; x < columns; ++x) {
      const auto value = std::uint16_t(row[x] << scan.point_transform);
      if (layout.bits_allocated == 8) {
        out[start + x] = std::uint8_t(value);
      } else {
        std::memcpy(out.data() + 2 * (start + x), &value, 2);
      }
    }
    std::swap(row, above);
  }
}

}  // namespace ichdet::io
