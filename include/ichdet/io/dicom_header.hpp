#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ichdet/core/config.hpp"

namespace ichdet::io {

/// How the data set and the pixels of a file are encoded.
enum class TransferSyntax {
  implicit_little,
  explicit_little,
  explicit_big,
  deflated,
  jpeg_lossless,
  jpeg_ls,
  jpeg_2000,
  rle,
  other,  ///< one that ichdet does not decode
};

/// What a hostile file may make us do.
struct DicomLimits {
  int nesting = 32;                                     ///< sequences within sequences
  std::int64_t elements = 1'000'000;                    ///< data elements in one header, nested ones included
  std::int64_t value_bytes = 1 << 16;                   ///< longer values of a header are passed over, not kept
  std::int64_t inflated_bytes = std::int64_t(1) << 31;  ///< of a deflated data set
};

struct DicomElement;

/// A data set: the file's own, or an item of a sequence.
struct DicomDataset {
  std::vector<DicomElement> elements;

  /// The element, or null.
  const DicomElement* find(std::uint32_t tag) const noexcept;
  /// The first item of a sequence, or null.
  const DicomDataset* item(std::uint32_t tag) const noexcept;
};

struct DicomElement {
  std::uint32_t tag = 0;  ///< group << 16 | element
  std::string value;      ///< as in the file; text keeps its padding
  std::vector<DicomDataset> items;
};

/// What stands before the pixels of one DICOM file.
///
/// Kept are the groups 0002, 0008, 0010, 0018, 0020, 0028 and 0012, and the functional groups of multi-frame images.
struct DicomHeader {
  std::filesystem::path file;
  std::uint64_t file_bytes = 0;
  TransferSyntax syntax = TransferSyntax::other;
  std::string transfer_syntax_uid;
  DicomDataset data;
  std::uint32_t pixel_tag = 0;     ///< (7FE0,0010), float or double pixel data; 0 where there is none
  std::uint64_t pixel_offset = 0;  ///< where the value starts, in the file (deflated: in the inflated data set)
  std::uint64_t pixel_bytes = 0;   ///< its stated length; where encapsulated, what is left of the file
  bool encapsulated = false;       ///< in fragments: stated length undefined

  /// The text of an element without its padding, as UTF-8 (other encodings are read as ISO 8859-1); "" where there is
  /// none.
  std::string text(std::uint32_t tag) const { return text(data, tag); }
  std::string text(const DicomDataset& in, std::uint32_t tag) const;
  /// Decimal strings (DS). Nothing where the element is missing or empty; Error(dicom), naming file and tag, where it
  /// does not hold `count` finite numbers.
  std::optional<std::vector<double>> decimals(const DicomDataset& in, std::uint32_t tag, std::size_t count) const;
  /// An integer string (IS). Nothing where missing, empty or not a number.
  std::optional<std::int64_t> integer(const DicomDataset& in, std::uint32_t tag) const;
  /// The first value of a US or SS element, as unsigned. Nothing where missing.
  std::optional<std::uint16_t> word(const DicomDataset& in, std::uint32_t tag) const;

  bool big_endian() const noexcept { return syntax == TransferSyntax::explicit_big; }
};

/// Reads up to the pixel data and never beyond. Every length is checked before it is believed.
///
/// Throws Error(io) where the file cannot be opened, Error(dicom) where it is not DICOM, cut off or malformed,
/// Error(limit) beyond `limits`; the message names file and tag.
DicomHeader read_dicom_header(const std::filesystem::path& file, const DicomLimits& limits = {});

/// Whether the file starts as DICOM does: 128 bytes, then "DICM".
bool is_dicom(const std::filesystem::path& file);

/// "x.dcm, PixelSpacing (0028,0030)": the subject of a message.
std::string tag_in_file(const std::filesystem::path& file, std::uint32_t tag);

}  // namespace ichdet::io

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/io/dicom_header_inl.hpp"
#endif
