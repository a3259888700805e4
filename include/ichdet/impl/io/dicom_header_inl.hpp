#pragma once

#include <zlib.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <tuple>
#include <utility>

#include "ichdet/core/error.hpp"
#include "ichdet/io/byte_source.hpp"
#include "ichdet/io/dicom_header.hpp"
#include "ichdet/io/dicom_tags.hpp"

namespace ichdet::io {
namespace detail {

inline constexpr std::uint32_t undefined_length = 0xFFFFFFFF;
inline constexpr std::uint32_t item_tag = 0xFFFEE000;
inline constexpr std::uint32_t item_end_tag = 0xFFFEE00D;
inline constexpr std::uint32_t sequence_end_tag = 0xFFFEE0DD;

ICHDET_INLINE TransferSyntax transfer_syntax(std::string_view uid) {
  constexpr std::string_view root = "1.2.840.10008.1.2";
  if (uid == root) return TransferSyntax::implicit_little;
  if (!uid.starts_with(root)) return TransferSyntax::other;
  const auto rest = uid.substr(root.size());
  if (rest == ".1") return TransferSyntax::explicit_little;
  if (rest == ".1.99") return TransferSyntax::deflated;
  if (rest == ".2") return TransferSyntax::explicit_big;
  if (rest == ".4.57" || rest == ".4.70") return TransferSyntax::jpeg_lossless;
  if (rest == ".4.80" || rest == ".4.81") return TransferSyntax::jpeg_ls;
  if (rest == ".4.90" || rest == ".4.91") return TransferSyntax::jpeg_2000;
  if (rest == ".5") return TransferSyntax::rle;
  return TransferSyntax::other;
}

/// Padding (spaces, NULs) off both ends.
ICHDET_INLINE std::string_view trimmed(std::string_view text) {
  constexpr std::string_view padding(" \0\t\r\n", 5);
  const auto first = text.find_first_not_of(padding);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(padding) - first + 1);
}

ICHDET_INLINE bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = std::uint8_t(text[i]);
    const std::size_t length = lead < 0x80 ? 1 : lead >> 5 == 6 ? 2 : lead >> 4 == 14 ? 3 : lead >> 3 == 30 ? 4 : 0;
    if (length == 0 || i + length > text.size()) return false;
    for (std::size_t k = 1; k < length; ++k) {
      if (std::uint8_t(text[i + k]) >> 6 != 2) return false;
    }
    i += length;
  }
  return true;
}

ICHDET_INLINE std::string to_utf8(std::string_view text) {
  std::string result;
  const bool keep = is_utf8(text);
  for (const char c : text) {
    const auto byte = std::uint8_t(c);
    if (byte < 0x20 || byte == 0x7F) {
      result.push_back(' ');
    } else if (keep || byte < 0x80) {
      result.push_back(c);
    } else {
      result.push_back(char(0xC0 | byte >> 6));
      result.push_back(char(0x80 | (byte & 0x3F)));
    }
  }
  return result;
}

/// The whole text as one finite number.
ICHDET_INLINE std::optional<double> parse_decimal(std::string_view text) {
  text = trimmed(text);
  if (text.starts_with('+')) text.remove_prefix(1);
  double value = 0;
  const auto end = text.data() + text.size();
  const auto [rest, failure] = std::from_chars(text.data(), end, value);
  if (failure != std::errc() || rest != end || !std::isfinite(value)) return std::nullopt;
  return value;
}

/// Walks through the data elements of one file up to its pixels.
class HeaderParser {
 public:
  HeaderParser(ByteSource& source, DicomHeader& header, const DicomLimits& limits)
      : source_(source), header_(header), limits_(limits) {}

  /// The file meta information, always explicit little endian. Returns where the data set starts.
  std::uint64_t meta(std::uint64_t offset) {
    explicit_ = true;
    while (offset < source_.size()) {
      const auto* head = look(offset, 8, 0x00020000);
      if (number(head, 2) != 2) break;
      const Element element = element_at(offset, 0);
      if (element.length == undefined_length) fail(element.tag, "a defined length", "an undefined one");
      keep(header_.data, element);
      offset = element.value + element.length;
    }
    header_.transfer_syntax_uid = header_.text(tag::transfer_syntax_uid);
    if (header_.transfer_syntax_uid.empty()) fail(tag::transfer_syntax_uid, "a UID", "nothing");
    header_.syntax = transfer_syntax(header_.transfer_syntax_uid);
    return offset;
  }

  void data_set(std::uint64_t offset) {
    explicit_ = header_.syntax != TransferSyntax::implicit_little;
    big_ = header_.syntax == TransferSyntax::explicit_big;
    elements(&header_.data, offset, source_.size(), false, 0);
  }

 private:
  struct Element {
    std::uint32_t tag = 0;
    std::array<char, 2> vr{};  ///< zeros where implicit
    std::uint32_t length = 0;
    std::uint64_t value = 0;  ///< offset
  };

  [[noreturn]] void fail(std::uint32_t tag, std::string_view expected, std::string_view found) const {
    throw Error::mismatch(ErrorCode::dicom, tag_in_file(header_.file, tag), expected, found);
  }

  std::uint32_t number(const std::uint8_t* bytes, int count) const {
    std::uint32_t value = 0;
    for (int i = 0; i < count; ++i) value |= std::uint32_t(bytes[big_ ? count - 1 - i : i]) << (8 * i);
    return value;
  }

  const std::uint8_t* look(std::uint64_t offset, std::uint64_t count, std::uint32_t tag) {
    const auto* bytes = source_.look(offset, count);
    if (bytes == nullptr) {
      fail(tag, std::to_string(count) + " bytes at offset " + std::to_string(offset),
           "the end of the file at " + std::to_string(source_.size()) + " (cut off?)");
    }
    return bytes;
  }

  Element element_at(std::uint64_t offset, std::uint32_t previous) {
    const auto* head = look(offset, 8, previous);
    Element element;
    element.tag = number(head, 2) << 16 | number(head + 2, 2);
    if (!explicit_ || element.tag >> 16 == 0xFFFE) {
      element.length = number(head + 4, 4);
      element.value = offset + 8;
      return element;
    }
    element.vr = {char(head[4]), char(head[5])};
    const auto letter = [](char c) { return c >= 'A' && c <= 'Z'; };
    if (!letter(element.vr[0]) || !letter(element.vr[1])) {
      fail(element.tag, "a value representation of two letters",
           "bytes " + std::to_string(int(head[4])) + " and " + std::to_string(int(head[5])));
    }
    const std::string_view vr(element.vr.data(), 2);
    constexpr std::array<std::string_view, 12> wide{"OB", "OW", "OF", "OD", "OL", "OV",
                                                    "SQ", "UC", "UR", "UT", "UN", "SV"};
    if (std::find(wide.begin(), wide.end(), vr) != wide.end() || vr == "UV") {
      element.length = number(look(offset, 12, element.tag) + 8, 4);
      element.value = offset + 12;
    } else {
      element.length = number(head + 6, 2);
      element.value = offset + 8;
    }
    return element;
  }

  static bool wanted(std::uint32_t tag) {
    switch (tag >> 16) {
      case 0x0002:
      case 0x0008:
      case 0x0010:
      case 0x0012:
      case 0x0018:
      case 0x0020:
      case 0x0028: return true;
      default: return tag == tag::shared_functional_groups || tag == tag::per_frame_functional_groups;
    }
  }

  /// Sequences whose items are kept; an implicit file does not mark its sequences, so these are known by tag.
  static bool known_sequence(std::uint32_t tag) {
    return tag == tag::shared_functional_groups || tag == tag::per_frame_functional_groups ||
           tag == tag::plane_position_sequence || tag == tag::plane_orientation_sequence ||
           tag == tag::pixel_measures_sequence || tag == tag::pixel_value_transformation_sequence ||
           tag == tag::ct_reconstruction_sequence || tag == tag::ct_frame_type_sequence ||
           tag == tag::modality_lut_sequence;
  }

  void count_element(std::uint32_t tag) {
    if (++elements_ > limits_.elements) {
      throw Error::mismatch(ErrorCode::limit, tag_in_file(header_.file, tag),
                            "at most " + std::to_string(limits_.elements) + " data elements", "more");
    }
  }

  void keep(DicomDataset& into, const Element& element) {
    count_element(element.tag);
    check_length(element, source_.size());
    DicomElement kept{element.tag, {}, {}};
    if (element.length <= limits_.value_bytes && element.length > 0) {
      kept.value.resize(element.length);
      source_.read(element.value, element.length, kept.value.data());
    }
    into.elements.push_back(std::move(kept));
  }

  void check_length(const Element& element, std::uint64_t end) const {
    if (element.value > end || element.length > end - element.value) {
      fail(element.tag, std::to_string(element.length) + " bytes",
           std::to_string(end - std::min(end, element.value)) + " before the end of what holds it (cut off?)");
    }
  }

  /// Elements from `offset` to `end`, or to the item's end mark where `delimited`. `into` is null where nothing is
  /// kept. Returns where they end.
  std::uint64_t elements(DicomDataset* into, std::uint64_t offset, std::uint64_t end, bool delimited, int depth) {
    std::uint32_t previous = 0;
    while (offset < end) {
      const Element element = element_at(offset, previous);
      previous = element.tag;
      if (delimited && element.tag == item_end_tag) return element.value;
      if (depth == 0 && pixels(element)) return end;
      if (element.tag >> 16 == 0xFFFE) fail(element.tag, "a data element", "a mark of a sequence");
      const bool keeps = into != nullptr && wanted(element.tag);
      if (element.length == undefined_length) {
        offset = undefined(keeps ? into : nullptr, element, end, depth);
        continue;
      }
      check_length(element, end);
      const bool sequence = std::string_view(element.vr.data(), 2) == "SQ" || !explicit_;
      if (keeps && sequence && known_sequence(element.tag)) {
        offset = sequence_items(into, element, element.value + element.length, false, depth);
      } else {
        if (keeps) {
          keep(*into, element);
        } else {
          count_element(element.tag);
        }
        offset = element.value + element.length;
      }
    }
    if (delimited) fail(previous, "the end of an item", "the end of what holds it");
    return offset;
  }

  std::uint64_t undefined(DicomDataset* into, const Element& element, std::uint64_t end, int depth) {
    const std::string_view vr(element.vr.data(), 2);
    if (explicit_ && (vr == "OB" || vr == "OW")) return fragments(element, end);
    if (explicit_ && vr != "SQ" && vr != "UN") fail(element.tag, "a defined length", "an undefined one");
    // An unknown element of undefined length holds implicit little endian items (PS3.5, 6.2.2, note 4).
    const auto encoding = std::pair(explicit_, big_);
    if (vr == "UN") {
      explicit_ = false;
      big_ = false;
    }
    const std::uint64_t after = sequence_items(into, element, end, true, depth);
    std::tie(explicit_, big_) = encoding;
    return after;
  }

  std::uint64_t sequence_items(DicomDataset* into, const Element& sequence, std::uint64_t end, bool delimited,
                               int depth) {
    if (depth >= limits_.nesting) {
      throw Error::mismatch(ErrorCode::limit, tag_in_file(header_.file, sequence.tag),
                            "at most " + std::to_string(limits_.nesting) + " sequences within each other", "more");
    }
    count_element(sequence.tag);
    std::vector<DicomDataset> items;
    std::uint64_t offset = sequence.value;
    while (offset < end) {
      const Element item = element_at(offset, sequence.tag);
      if (delimited && item.tag == sequence_end_tag) {
        offset = item.value;
        delimited = false;
        break;
      }
      if (item.tag != item_tag) fail(sequence.tag, "an item", tag_in_file({}, item.tag));
      count_element(sequence.tag);
      DicomDataset data;
      DicomDataset* const kept = into != nullptr ? &data : nullptr;
      if (item.length == undefined_length) {
        offset = elements(kept, item.value, end, true, depth + 1);
      } else {
        check_length(item, end);
        offset = elements(kept, item.value, item.value + item.length, false, depth + 1);
      }
      if (into != nullptr) items.push_back(std::move(data));
    }
    if (delimited) fail(sequence.tag, "the end of the sequence", "the end of what holds it");
    if (into != nullptr) into->elements.push_back({sequence.tag, {}, std::move(items)});
    return offset;
  }

  /// Encapsulated data that is not the image's own pixels, such as those of an icon: passed over.
  std::uint64_t fragments(const Element& element, std::uint64_t end) {
    std::uint64_t offset = element.value;
    while (offset < end) {
      const Element item = element_at(offset, element.tag);
      if (item.tag == sequence_end_tag) return item.value;
      if (item.tag != item_tag) fail(element.tag, "a fragment", tag_in_file({}, item.tag));
      count_element(element.tag);
      check_length(item, end);
      offset = item.value + item.length;
    }
    fail(element.tag, "the end of the fragments", "the end of what holds them");
  }

  /// Whether the header ends here: at the pixels, or behind where they would stand. Group lengths and tables of offsets
  /// come before them in the same group.
  bool pixels(const Element& element) {
    if (element.tag != tag::pixel_data && element.tag != tag::float_pixel_data &&
        element.tag != tag::double_pixel_data) {
      return element.tag > tag::pixel_data;
    }
    header_.pixel_tag = element.tag;
    header_.pixel_offset = element.value;
    header_.encapsulated = element.length == undefined_length;
    header_.pixel_bytes = header_.encapsulated ? source_.size() - element.value : element.length;
    return true;
  }

  ByteSource& source_;
  DicomHeader& header_;
  DicomLimits limits_;
  bool explicit_ = true;
  bool big_ = false;
  std::int64_t elements_ = 0;
};

/// The data set of a deflated file from `offset` on, inflated (raw deflate, PS3.5, A.5).
ICHDET_INLINE std::string inflate_data_set(ByteSource& source, std::uint64_t offset, const std::filesystem::path& file,
                                           std::int64_t limit) {
  const std::uint64_t packed_bytes = source.size() - offset;
  if (packed_bytes > std::uint64_t(limit)) {
    throw Error(ErrorCode::limit, file.string() + ": the deflated data set is too large");
  }
  std::string packed(std::size_t(packed_bytes), '\0');
  source.read(offset, packed.size(), packed.data());
  z_stream stream{};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) throw Error(ErrorCode::limit, file.string() + ": cannot inflate");
  std::string result;
  std::vector<char> piece(1 << 18);
  int status = Z_OK;
  std::size_t consumed = 0;
  while (status == Z_OK && std::int64_t(result.size()) <= limit) {
    if (stream.avail_in == 0 && consumed < packed.size()) {
      const auto count = std::min<std::size_t>(packed.size() - consumed, 1 << 30);
      stream.next_in = reinterpret_cast<Bytef*>(packed.data() + consumed);
      stream.avail_in = uInt(count);
      consumed += count;
    }
    stream.next_out = reinterpret_cast<Bytef*>(piece.data());
    stream.avail_out = uInt(piece.size());
    status = inflate(&stream, Z_NO_FLUSH);
    result.append(piece.data(), piece.size() - stream.avail_out);
  }
  inflateEnd(&stream);
  if (std::int64_t(result.size()) > limit) {
    throw Error::mismatch(ErrorCode::limit, file.string() + ", deflated data set",
                          "at most " + std::to_string(limit) + " bytes", "more");
  }
  if (status != Z_STREAM_END) {
    throw Error(ErrorCode::dicom,
                file.string() + ", deflated data set: expected a complete deflate stream, found damage");
  }
  return result;
}

/// Where the data set of a deflated file starts: after the file meta information.
ICHDET_INLINE std::string inflated(const std::filesystem::path& file, const DicomLimits& limits) {
  DicomHeader header;
  header.file = file;
  ByteSource source(file);
  const auto start = HeaderParser(source, header, limits).meta(132);
  return inflate_data_set(source, start, file, limits.inflated_bytes);
}

}  // namespace detail

ICHDET_INLINE const DicomElement* DicomDataset::find(std::uint32_t tag) const noexcept {
  const auto found = std::find_if(elements.begin(), elements.end(), [&](const auto& e) { return e.tag == tag; });
  return found == elements.end() ? nullptr : &*found;
}

ICHDET_INLINE const DicomDataset* DicomDataset::item(std::uint32_t tag) const noexcept {
  const auto* element = find(tag);
  return element == nullptr || element->items.empty() ? nullptr : &element->items.front();
}

ICHDET_INLINE std::string DicomHeader::text(const DicomDataset& in, std::uint32_t tag) const {
  const auto* element = in.find(tag);
  return element == nullptr ? std::string() : detail::to_utf8(detail::trimmed(element->value));
}

ICHDET_INLINE std::optional<std::vector<double>> DicomHeader::decimals(const DicomDataset& in, std::uint32_t tag,
                                                                       std::size_t count) const {
  const auto* element = in.find(tag);
  if (element == nullptr) return std::nullopt;
  const std::string_view value = detail::trimmed(element->value);
  if (value.empty()) return std::nullopt;
  std::vector<double> numbers;
  std::string_view rest = value;
  while (true) {
    const auto cut = rest.find('\\');
    const auto number = detail::parse_decimal(rest.substr(0, cut));
    if (!number || numbers.size() == count) break;
    numbers.push_back(*number);
    if (cut == std::string_view::npos) {
      if (numbers.size() != count) break;
      return numbers;
    }
    rest.remove_prefix(cut + 1);
  }
  throw Error::mismatch(ErrorCode::dicom, tag_in_file(file, tag),
                        std::to_string(count) + (count == 1 ? " finite number" : " finite numbers"),
                        "'" + detail::to_utf8(value.substr(0, 100)) + "'");
}

ICHDET_INLINE std::optional<std::int64_t> DicomHeader::integer(const DicomDataset& in, std::uint32_t tag) const {
  const auto* element = in.find(tag);
  if (element == nullptr) return std::nullopt;
  auto value = detail::trimmed(element->value);
  value = detail::trimmed(value.substr(0, value.find('\\')));
  if (value.starts_with('+')) value.remove_prefix(1);
  std::int64_t number = 0;
  const auto end = value.data() + value.size();
  const auto [rest, failure] = std::from_chars(value.data(), end, number);
  if (value.empty() || failure != std::errc() || rest != end) return std::nullopt;
  return number;
}

ICHDET_INLINE std::optional<std::uint16_t> DicomHeader::word(const DicomDataset& in, std::uint32_t tag) const {
  const auto* element = in.find(tag);
  if (element == nullptr || element->value.size() < 2) return std::nullopt;
  const auto low = std::uint8_t(element->value[big_endian() ? 1 : 0]);
  const auto high = std::uint8_t(element->value[big_endian() ? 0 : 1]);
  return std::uint16_t(low | high << 8);
}

ICHDET_INLINE DicomHeader read_dicom_header(const std::filesystem::path& file, const DicomLimits& limits) {
  DicomHeader header;
  header.file = file;
  ByteSource source(file);
  header.file_bytes = source.size();
  const auto* magic = source.look(0, 132);
  if (magic == nullptr || std::string_view(reinterpret_cast<const char*>(magic) + 128, 4) != "DICM") {
    throw Error::mismatch(ErrorCode::dicom, file.string(), "'DICM' at byte 128", "another kind of file");
  }
  detail::HeaderParser parser(source, header, limits);
  const auto start = parser.meta(132);
  if (header.syntax != TransferSyntax::deflated) {
    parser.data_set(start);
    return header;
  }
  ByteSource data(detail::inflate_data_set(source, start, file, limits.inflated_bytes));
  detail::HeaderParser(data, header, limits).data_set(0);
  return header;
}

ICHDET_INLINE bool is_dicom(const std::filesystem::path& file) {
  ByteSource source(file);
  const auto* magic = source.look(0, 132);
  return magic != nullptr && std::string_view(reinterpret_cast<const char*>(magic) + 128, 4) == "DICM";
}

ICHDET_INLINE std::string tag_in_file(const std::filesystem::path& file, std::uint32_t tag) {
  struct Keyword {
    std::uint32_t tag;
    const char* name;
  };
  static constexpr Keyword keywords[] = {
      {tag::transfer_syntax_uid, "TransferSyntaxUID"},
      {tag::image_type, "ImageType"},
      {tag::sop_class_uid, "SOPClassUID"},
      {tag::sop_instance_uid, "SOPInstanceUID"},
      {tag::modality, "Modality"},
      {tag::slice_thickness, "SliceThickness"},
      {tag::gantry_tilt, "GantryDetectorTilt"},
      {tag::study_instance_uid, "StudyInstanceUID"},
      {tag::series_instance_uid, "SeriesInstanceUID"},
      {tag::instance_number, "InstanceNumber"},
      {tag::image_position, "ImagePositionPatient"},
      {tag::image_orientation, "ImageOrientationPatient"},
      {tag::samples_per_pixel, "SamplesPerPixel"},
      {tag::photometric, "PhotometricInterpretation"},
      {tag::number_of_frames, "NumberOfFrames"},
      {tag::rows, "Rows"},
      {tag::columns, "Columns"},
      {tag::pixel_spacing, "PixelSpacing"},
      {tag::bits_allocated, "BitsAllocated"},
      {tag::bits_stored, "BitsStored"},
      {tag::high_bit, "HighBit"},
      {tag::pixel_representation, "PixelRepresentation"},
      {tag::pixel_padding_value, "PixelPaddingValue"},
      {tag::pixel_padding_limit, "PixelPaddingRangeLimit"},
      {tag::rescale_intercept, "RescaleIntercept"},
      {tag::rescale_slope, "RescaleSlope"},
      {tag::modality_lut_sequence, "ModalityLUTSequence"},
      {tag::per_frame_functional_groups, "PerFrameFunctionalGroupsSequence"},
      {tag::shared_functional_groups, "SharedFunctionalGroupsSequence"},
      {tag::pixel_data, "PixelData"},
  };
  std::array<char, 16> numbers{};
  std::snprintf(numbers.data(), numbers.size(), "(%04X,%04X)", unsigned(tag >> 16), unsigned(tag & 0xFFFF));
  std::string subject = file.empty() ? std::string() : file.string() + ", ";
  for (const auto& keyword : keywords) {
    if (keyword.tag == tag) subject.append(keyword.name).append(" ");
  }
  return subject + numbers.data();
}

}  // namespace ichdet::io
