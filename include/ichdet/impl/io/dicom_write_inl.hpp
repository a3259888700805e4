#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <mutex>
#include <string_view>
#include <utility>

#include "ichdet/core/error.hpp"
#include "ichdet/core/parallel.hpp"
#include "ichdet/io/dicom_header.hpp"
#include "ichdet/io/dicom_write.hpp"

namespace ichdet::io {
namespace detail {

/// Appends data elements in explicit VR little endian, in the order in which they are put.
class ElementWriter {
 public:
  void text(std::uint32_t tag, const char* vr, std::string_view value) {
    std::string padded(value);
    if (padded.size() % 2 != 0) padded.push_back(std::string_view(vr) == "UI" ? '\0' : ' ');
    head(tag, vr, padded.size());
    bytes_ += padded;
  }
  void u16(std::uint32_t tag, std::uint16_t value, const char* vr = "US") {
    head(tag, vr, 2);
    little(value, 2);
  }
  void u32(std::uint32_t tag, std::uint32_t value) {
    head(tag, "UL", 4);
    little(value, 4);
  }
  void data(std::uint32_t tag, const char* vr, std::string_view value) {
    head(tag, vr, value.size());
    bytes_ += value;
  }
  const std::string& bytes() const noexcept { return bytes_; }

 private:
  void head(std::uint32_t tag, std::string_view vr, std::size_t length) {
    little(tag >> 16, 2);
    little(tag & 0xFFFF, 2);
    bytes_ += vr;
    if (vr == "OB" || vr == "OW") {
      little(0, 2);
      little(length, 4);
    } else {
      if (length > 0xFFFE) {
        throw Error::mismatch(ErrorCode::dicom, tag_in_file({}, tag), "at most 65534 bytes to write",
                              std::to_string(length));
      }
      little(length, 2);
    }
  }
  void little(std::uint64_t value, int count) {
    for (int i = 0; i < count; ++i) bytes_.push_back(char(value >> (8 * i) & 0xFF));
  }

  std::string bytes_;
};

/// A decimal string: as exact as 16 characters allow.
ICHDET_INLINE std::string decimal_string(double value) {
  std::array<char, 32> text{};
  if (value == 0) value = 0;  // no "-0"
  const auto shortest = std::to_chars(text.data(), text.data() + text.size(), value);
  if (shortest.ptr - text.data() <= 16) return {text.data(), shortest.ptr};
  for (int digits = 15; digits > 1; --digits) {
    const int length = std::snprintf(text.data(), text.size(), "%.*g", digits, value);
    if (length <= 16) return {text.data(), std::size_t(length)};
  }
  return "0";
}

ICHDET_INLINE std::uint64_t mix(std::uint64_t state, std::uint64_t value) {
  state ^= value + 0x9E3779B97F4A7C15ULL + (state << 6) + (state >> 2);
  state = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9ULL;
  state = (state ^ (state >> 27)) * 0x94D049BB133111EBULL;
  return state ^ (state >> 31);
}

/// A hash of everything in the stack that reaches the files.
ICHDET_INLINE std::uint64_t content_hash(const SliceStack& stack) {
  std::uint64_t state = mix(std::uint64_t(stack.hu.size()), std::uint64_t(stack.geometry.columns()));
  for (const auto& plane : stack.geometry.planes()) {
    for (const double value : {plane.position_mm.x(), plane.position_mm.y(), plane.position_mm.z(), plane.along_row.x(),
                               plane.along_row.y(), plane.along_row.z(), plane.along_column.x(), plane.along_column.y(),
                               plane.along_column.z(), plane.row_spacing_mm, plane.column_spacing_mm}) {
      state = mix(state, std::bit_cast<std::uint64_t>(value));
    }
  }
  for (const float value : stack.hu) state = mix(state, std::bit_cast<std::uint32_t>(value));
  for (const auto value : stack.padding) state = mix(state, value);
  return state;
}

/// A UID under 2.25: a 128-bit number in decimal (PS3.5, B.2).
ICHDET_INLINE std::string number_uid(std::uint64_t high, std::uint64_t low) {
  std::array<std::uint32_t, 4> limbs{std::uint32_t(high >> 32), std::uint32_t(high), std::uint32_t(low >> 32),
                                     std::uint32_t(low)};
  std::string digits;
  while (std::any_of(limbs.begin(), limbs.end(), [](std::uint32_t limb) { return limb != 0; })) {
    std::uint64_t rest = 0;
    for (auto& limb : limbs) {
      const std::uint64_t value = rest << 32 | limb;
      limb = std::uint32_t(value / 10);
      rest = value % 10;
    }
    digits.push_back(char('0' + rest));
  }
  if (digits.empty()) digits.push_back('0');
  std::reverse(digits.begin(), digits.end());
  return "2.25." + digits;
}

ICHDET_INLINE bool valid_uid(std::string_view uid) {
  if (uid.empty() || uid.size() > 64) return false;
  bool start = true;
  for (std::size_t i = 0; i < uid.size(); ++i) {
    if (uid[i] == '.') {
      if (start) return false;
      start = true;
    } else {
      if (uid[i] < '0' || uid[i] > '9') return false;
      if (start && uid[i] == '0' && i + 1 < uid.size() && uid[i + 1] != '.') return false;
      start = false;
    }
  }
  return !start;
}

struct StoredRange {
  double intercept_hu;
  int lowest, highest;  ///< of measured pixels
  int padding;
  bool is_signed;
};

ICHDET_INLINE StoredRange stored_range(int bits_stored, bool padded) {
  if (bits_stored == 16) return {0, -32768, 32767, -2000, true};
  if (bits_stored == 12) return {-1024, padded ? 1 : 0, 4095, 0, false};
  throw Error::mismatch(ErrorCode::options, "bits_stored", "12 or 16", std::to_string(bits_stored));
}

/// Stored values of one slice, two bytes each, little endian.
ICHDET_INLINE std::string stored_pixels(const SliceStack& stack, std::int64_t slice, const StoredRange& range) {
  const auto hu = stack.hu.plane(slice);
  std::string bytes(hu.size() * 2, '\0');
  for (std::size_t i = 0; i < hu.size(); ++i) {
    int stored = range.padding;
    if (stack.padding.empty() || stack.padding.plane(slice)[i] == 0) {
      if (!std::isfinite(hu[i])) {
        throw Error::mismatch(ErrorCode::dicom, "slice " + std::to_string(slice) + ", pixel " + std::to_string(i),
                              "a finite HU", std::to_string(hu[i]));
      }
      const double value = std::nearbyint(double(hu[i]) - range.intercept_hu);
      stored = int(std::clamp(value, double(range.lowest), double(range.highest)));
    }
    bytes[2 * i] = char(stored & 0xFF);
    bytes[2 * i + 1] = char(stored >> 8 & 0xFF);
  }
  return bytes;
}

struct SeriesUids {
  std::string study, series, frame_of_reference;
  std::uint64_t high, low;  ///< of the instances

  std::string instance(std::int64_t slice) const {
    return number_uid(mix(high, std::uint64_t(slice)), mix(low, std::uint64_t(slice) + 1));
  }
};

ICHDET_INLINE SeriesUids series_uids(const SliceStack& stack, std::uint64_t seed) {
  const std::uint64_t content = content_hash(stack);
  const auto base = [&](std::uint64_t role) {
    return std::pair(mix(mix(seed, role), content), mix(mix(content, role), ~seed));
  };
  const auto uid = [&](std::uint64_t role) { return number_uid(base(role).first, base(role).second); };
  SeriesUids uids{uid(1), uid(2), uid(3), base(4).first, base(4).second};
  if (valid_uid(stack.identity.study_instance_uid)) uids.study = stack.identity.study_instance_uid;
  if (valid_uid(stack.geometry.frame_of_reference_uid())) {
    uids.frame_of_reference = stack.geometry.frame_of_reference_uid();
  }
  return uids;
}

/// Where a plane states no thickness: the distance to its nearest neighbour.
ICHDET_INLINE double written_thickness_mm(const SliceGeometry& geometry, std::int64_t slice) {
  const auto& plane = geometry.planes()[std::size_t(slice)];
  if (plane.thickness_mm > 0) return plane.thickness_mm;
  const auto& offsets = geometry.offsets_mm();
  double nearest = 0;
  if (slice > 0) nearest = offsets[std::size_t(slice)] - offsets[std::size_t(slice) - 1];
  if (slice + 1 < geometry.count()) {
    const double above = offsets[std::size_t(slice) + 1] - offsets[std::size_t(slice)];
    nearest = nearest > 0 ? std::min(nearest, above) : above;
  }
  return nearest;
}

ICHDET_INLINE std::string or_else(const std::string& value, const std::string& otherwise) {
  return value.empty() ? otherwise : value;
}

ICHDET_INLINE std::string encode_slice(const SliceStack& stack, std::int64_t slice, const SeriesUids& uids,
                                       const DicomWriteOptions& options) {
  const std::string ct_image_storage = "1.2.840.10008.5.1.4.1.1.2";
  const auto& plane = stack.geometry.planes()[std::size_t(slice)];
  const auto& identity = stack.identity;
  const StoredRange range = stored_range(options.bits_stored, !stack.padding.empty());
  const auto triple = [](const Eigen::Vector3d& v) {
    return decimal_string(v.x()) + '\\' + decimal_string(v.y()) + '\\' + decimal_string(v.z());
  };

  ElementWriter meta;
  meta.data(0x00020001, "OB", std::string_view("\0\1", 2));
  meta.text(0x00020002, "UI", ct_image_storage);
  meta.text(0x00020003, "UI", uids.instance(slice));
  meta.text(0x00020010, "UI", "1.2.840.10008.1.2.1");
  meta.text(0x00020012, "UI", "2.25.203740519283746510928374651029384756");
  meta.text(0x00020013, "SH", "ICHDET");
  ElementWriter group_length;
  group_length.u32(0x00020000, std::uint32_t(meta.bytes().size()));

  ElementWriter set;
  set.text(0x00080005, "CS", "ISO_IR 192");
  set.text(0x00080008, "CS", options.image_type);
  set.text(0x00080016, "UI", ct_image_storage);
  set.text(0x00080018, "UI", uids.instance(slice));
  set.text(0x00080020, "DA", identity.study_date);
  set.text(0x00080030, "TM", "");
  set.text(0x00080050, "SH", "");
  set.text(0x00080060, "CS", "CT");
  set.text(0x00080070, "LO", or_else(identity.manufacturer, options.manufacturer));
  set.text(0x00080090, "PN", "");
  set.text(0x0008103E, "LO", or_else(identity.series_description, options.series_description));
  set.text(0x00100010, "PN", options.patient_name);
  set.text(0x00100020, "LO", or_else(identity.patient_id, options.patient_id));
  set.text(0x00100030, "DA", "");
  set.text(0x00100040, "CS", "");
  set.text(0x00180015, "CS", "HEAD");
  set.text(0x00180050, "DS", decimal_string(written_thickness_mm(stack.geometry, slice)));
  set.text(0x00180060, "DS", "");
  if (!identity.convolution_kernel.empty()) set.text(0x00181210, "SH", identity.convolution_kernel);
  set.text(0x00185100, "CS", "HFS");
  set.text(0x0020000D, "UI", uids.study);
  set.text(0x0020000E, "UI", uids.series);
  set.text(0x00200010, "SH", "");
  set.text(0x00200011, "IS", std::to_string(options.series_number));
  set.text(0x00200012, "IS", "1");
  set.text(0x00200013, "IS", std::to_string(slice + 1));
  set.text(0x00200032, "DS", triple(plane.position_mm));
  set.text(0x00200037, "DS", triple(plane.along_row) + '\\' + triple(plane.along_column));
  set.text(0x00200052, "UI", uids.frame_of_reference);
  set.text(0x00201040, "LO", "");
  set.text(0x00201041, "DS", decimal_string(stack.geometry.offsets_mm()[std::size_t(slice)]));
  set.u16(0x00280002, 1);
  set.text(0x00280004, "CS", "MONOCHROME2");
  set.u16(0x00280010, std::uint16_t(stack.geometry.rows()));
  set.u16(0x00280011, std::uint16_t(stack.geometry.columns()));
  set.text(0x00280030, "DS", decimal_string(plane.row_spacing_mm) + '\\' + decimal_string(plane.column_spacing_mm));
  set.u16(0x00280100, 16);
  set.u16(0x00280101, std::uint16_t(options.bits_stored));
  set.u16(0x00280102, std::uint16_t(options.bits_stored - 1));
  set.u16(0x00280103, range.is_signed ? 1 : 0);
  if (!stack.padding.empty()) set.u16(0x00280120, std::uint16_t(range.padding), range.is_signed ? "SS" : "US");
  set.text(0x00281050, "DS", decimal_string(options.window_center_hu));
  set.text(0x00281051, "DS", decimal_string(options.window_width_hu));
  set.text(0x00281052, "DS", decimal_string(range.intercept_hu));
  set.text(0x00281053, "DS", "1");
  set.text(0x00281054, "LO", "HU");
  set.data(0x7FE00010, "OW", stored_pixels(stack, slice, range));

  std::string file(128, '\0');
  file.append("DICM").append(group_length.bytes()).append(meta.bytes()).append(set.bytes());
  return file;
}

}  // namespace detail

ICHDET_INLINE std::vector<std::filesystem::path> write_series(const SliceStack& stack,
                                                              const std::filesystem::path& folder,
                                                              const DicomWriteOptions& options,
                                                              const Progress& progress) {
  namespace fs = std::filesystem;
  detail::stored_range(options.bits_stored, false);
  if (stack.geometry.rows() > 65535 || stack.geometry.columns() > 65535) {
    throw Error(ErrorCode::limit, "slices: DICOM holds at most 65535 rows and columns");
  }
  std::error_code failure;
  fs::create_directories(folder, failure);
  if (failure) throw Error(ErrorCode::io, folder.string() + ": cannot be made: " + failure.message());
  if (!options.overwrite && !fs::is_empty(folder)) {
    throw Error::mismatch(ErrorCode::io, folder.string(), "an empty folder", "files in it");
  }
  const auto uids = detail::series_uids(stack, options.seed);
  const std::int64_t count = stack.geometry.count();
  std::vector<fs::path> files;
  for (std::int64_t slice = 0; slice < count; ++slice) {
    std::array<char, 32> name{};
    std::snprintf(name.data(), name.size(), "%04d.dcm", int(slice + 1));
    files.push_back(folder / name.data());
  }
  std::mutex reporting;
  std::int64_t done = 0;
  parallel_for(count, options.threads, [&](std::int64_t slice) {
    const std::string bytes = detail::encode_slice(stack, slice, uids, options);
    const auto& path = files[std::size_t(slice)];
    errno = 0;
    std::ofstream file(path, std::ios::binary);
    file.write(bytes.data(), std::streamsize(bytes.size()));
    file.close();
    if (!file) throw Error(ErrorCode::io, path.string() + ": cannot be written: " + std::strerror(errno));
    const std::scoped_lock lock(reporting);
    progress("writing DICOM", double(++done) / double(count));
  });
  return files;
}

}  // namespace ichdet::io
