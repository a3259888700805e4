#pragma once

#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <memory>
#include <sstream>
#include <system_error>

#include "ichdet/core/error.hpp"
#include "ichdet/io/detail/nifti_header.hpp"
#include "ichdet/io/nifti.hpp"

namespace ichdet::io {

namespace detail {

struct CloseGzip {
  void operator()(gzFile file) const { gzclose(file); }
};
using GzipFile = std::unique_ptr<gzFile_s, CloseGzip>;

/// The bytes of a file, inflated where it is gzip. Every failure is an Error(io) that names the file.
class NiftiFile {
 public:
  explicit NiftiFile(const std::filesystem::path& path) : name_(path.string()) {
    std::error_code failed;
    size_ = std::int64_t(std::filesystem::file_size(path, failed));
    if (!failed) file_.reset(gzopen(name_.c_str(), "rb"));
    if (failed || !file_) throw Error(ErrorCode::io, name_ + ": cannot be opened for reading");
    gzbuffer(file_.get(), 1 << 18);
  }

  void read(void* out, std::int64_t count, const char* what) {
    auto* to = static_cast<std::uint8_t*>(out);
    for (std::int64_t done = 0; done < count;) {
      const auto step = unsigned(std::min<std::int64_t>(count - done, 1 << 20));
      const int got = gzread(file_.get(), to + done, step);
      if (got <= 0) fail(what, count, done);
      done += got;
    }
  }

  void skip(std::int64_t count, const char* what) {
    std::uint8_t waste[4096];
    for (; count > 0; count -= std::int64_t(sizeof waste)) {
      read(waste, std::min<std::int64_t>(count, sizeof waste), what);
    }
  }

  /// Goes on to the end of the gzip stream where that is next, so that its checksum is looked at.
  void check_end() {
    std::uint8_t one;
    if (gzread(file_.get(), &one, 1) < 0) fail("the end", 0, 0);
  }

  /// The most bytes that this file can hold: deflate never shrinks by more than 1032 to 1.
  std::int64_t capacity() const { return gzdirect(file_.get()) != 0 ? size_ : size_ * 1032; }
  const std::string& name() const { return name_; }

 private:
  [[noreturn]] void fail(const char* what, std::int64_t expected, std::int64_t found) const {
    int code = 0;
    const std::string message = gzerror(file_.get(), &code);
    if (code != Z_OK && code != Z_BUF_ERROR)
      throw Error(ErrorCode::io, name_ + ", " + what + ": damaged (" + message + ")");
    throw Error::mismatch(ErrorCode::io, name_ + ", " + what, std::to_string(expected) + " bytes",
                          std::to_string(found) + " before the file ends");
  }

  std::string name_;
  std::int64_t size_ = 0;
  GzipFile file_;
};

/// Reads `count` values of type T as scaled floats.
template <class T>
void read_nifti_values(NiftiFile& file, const NiftiHeader& h, const NiftiOptions& options, float* out,
                       std::int64_t count) {
  const bool scaled = h.slope != 0 && std::isfinite(h.slope) && !(h.slope == 1 && h.inter == 0);
  constexpr std::int64_t piece = 1 << 15;
  std::vector<T> raw(std::size_t(std::min(piece, count)));
  for (std::int64_t done = 0; done < count; done += piece) {
    const auto n = std::min(piece, count - done);
    file.read(raw.data(), n * std::int64_t(sizeof(T)), "voxels");
    if (h.swapped && sizeof(T) > 1) {
      for (std::int64_t i = 0; i < n; ++i) {
        auto* bytes = reinterpret_cast<std::uint8_t*>(raw.data() + i);
        std::reverse(bytes, bytes + sizeof(T));
      }
    }
    for (std::int64_t i = 0; i < n; ++i) {
      const T value = raw[std::size_t(i)];
      out[done + i] = scaled ? float(double(value) * h.slope + h.inter) : float(value);
    }
    for (std::int64_t i = 0; i < n; ++i) {
      if (std::isfinite(out[done + i])) continue;
      if (!options.nonfinite_hu) {
        throw Error::mismatch(ErrorCode::io, file.name() + ", voxel " + std::to_string(done + i), "a finite number",
                              std::to_string(out[done + i]) + " (NiftiOptions::nonfinite_hu would replace it)");
      }
      out[done + i] = *options.nonfinite_hu;
    }
  }
}

struct NiftiType {
  int code, bits;
  void (*read)(NiftiFile&, const NiftiHeader&, const NiftiOptions&, float*, std::int64_t);
};

ICHDET_INLINE const NiftiType& nifti_type(const NiftiHeader& h, const std::string& name) {
  static constexpr NiftiType types[] = {
      {2, 8, read_nifti_values<std::uint8_t>},     {4, 16, read_nifti_values<std::int16_t>},
      {8, 32, read_nifti_values<std::int32_t>},    {16, 32, read_nifti_values<float>},
      {64, 64, read_nifti_values<double>},         {256, 8, read_nifti_values<std::int8_t>},
      {512, 16, read_nifti_values<std::uint16_t>}, {768, 32, read_nifti_values<std::uint32_t>},
      {1024, 64, read_nifti_values<std::int64_t>}, {1280, 64, read_nifti_values<std::uint64_t>},
  };
  for (const auto& type : types) {
    if (type.code != h.datatype) continue;
    if (type.bits != h.bitpix) {
      throw Error::mismatch(ErrorCode::io, name + ", NIfTI bitpix",
                            std::to_string(type.bits) + " for datatype " + std::to_string(type.code),
                            std::to_string(h.bitpix));
    }
    return type;
  }
  throw Error::mismatch(ErrorCode::io, name + ", NIfTI datatype",
                        "real numbers of 8 to 64 bits (2, 4, 8, 16, 64, 256, 512, 768, 1024, 1280)",
                        std::to_string(h.datatype));
}

constexpr char nifti_label_extension[] = "ichdet labels\n";

/// Reads the extensions between header and voxels; gives the text of write_nifti's own, else "".
ICHDET_INLINE std::string read_nifti_extensions(NiftiFile& file, const NiftiHeader& h, std::int64_t position) {
  std::string found;
  if (h.vox_offset - position < 4) {
    file.skip(h.vox_offset - position, "the gap before the voxels");
    return found;
  }
  std::vector<std::uint8_t> bytes(std::size_t(h.vox_offset - position));
  file.read(bytes.data(), std::int64_t(bytes.size()), "extensions");
  if (bytes[0] == 0) return found;
  for (std::size_t at = 4; at + 8 <= bytes.size();) {
    const auto size = nifti_field<std::int32_t>(bytes, at, h.swapped);
    const auto code = nifti_field<std::int32_t>(bytes, at + 4, h.swapped);
    if (size < 16 || std::size_t(size) > bytes.size() - at) break;
    const std::string text(bytes.begin() + std::ptrdiff_t(at + 8), bytes.begin() + std::ptrdiff_t(at) + size);
    if (code == 6 && text.starts_with(nifti_label_extension)) found = text.substr(sizeof nifti_label_extension - 1);
    at += std::size_t(size);
  }
  return found.substr(0, found.find('\0'));
}

struct NiftiContent {
  NiftiVolume volume;
  std::string label_text;
};

ICHDET_INLINE NiftiContent read_nifti_file(const std::filesystem::path& path, const NiftiOptions& options) {
  NiftiFile file(path);
  std::vector<std::uint8_t> bytes(4);
  file.read(bytes.data(), 4, "header");
  const auto size = nifti_header_size(bytes);
  if (size == 0) throw Error(ErrorCode::io, file.name() + ": expected NIfTI, found another kind of file");
  bytes.resize(size);
  file.read(bytes.data() + 4, std::int64_t(size) - 4, "header");
  NiftiHeader h = parse_nifti_header(bytes, file.name());
  const auto& type = nifti_type(h, file.name());
  std::vector<std::string> assumptions;
  Geometry grid = nifti_geometry(h, file.name(), assumptions);

  if (h.vox_offset == 0) h.vox_offset = std::int64_t(size) + 4;
  constexpr std::int64_t most_extensions = 1 << 26;
  if (h.vox_offset < std::int64_t(size) || h.vox_offset > most_extensions) {
    throw Error::mismatch(ErrorCode::io, file.name() + ", NIfTI vox_offset", std::to_string(size) + " to 2^26",
                          std::to_string(h.vox_offset));
  }
  if (h.slope != 0 && std::isfinite(h.slope) && !std::isfinite(h.inter)) {
    throw Error::mismatch(ErrorCode::io, file.name() + ", NIfTI scl_inter", "a finite number", std::to_string(h.inter));
  }
  std::int64_t voxels = 1;
  for (const auto n : grid.size()) {
    if (n > options.max_voxels / voxels) {
      throw Error::mismatch(ErrorCode::limit, file.name(), "at most " + std::to_string(options.max_voxels) + " voxels",
                            grid.to_string());
    }
    voxels *= n;
  }
  if (voxels * (type.bits / 8) > file.capacity()) {
    throw Error::mismatch(ErrorCode::io, file.name() + ", voxels", std::to_string(voxels * (type.bits / 8)) + " bytes",
                          "a file that cannot hold more than " + std::to_string(file.capacity()));
  }
  auto label_text = read_nifti_extensions(file, h, std::int64_t(size));
  auto hu = Array3<float>::uninitialized(grid.shape());
  type.read(file, h, options, hu.data(), voxels);
  file.check_end();
  return {{Volume(std::move(hu), std::move(grid)), std::move(assumptions)}, std::move(label_text)};
}

ICHDET_INLINE void write_nifti_file(const std::filesystem::path& path, const Geometry& grid, int datatype, int bitpix,
                                    const std::string& label_text, const void* values,
                                    const NiftiWriteOptions& options) {
  const std::string name = path.string();
  const bool gzip = name.ends_with(".nii.gz");
  if (!gzip && !name.ends_with(".nii")) {
    throw Error::mismatch(ErrorCode::options, "NIfTI file name", "one that ends in .nii or .nii.gz", name);
  }
  if (options.compression_level < 1 || options.compression_level > 9) {
    throw Error::mismatch(ErrorCode::options, "NIfTI compression level", "1 to 9",
                          std::to_string(options.compression_level));
  }
  for (const auto n : grid.size()) {
    if (n > 32767) throw Error::mismatch(ErrorCode::shape, name, "at most 32767 voxels per axis", std::to_string(n));
  }
  std::vector<std::uint8_t> extension(4, 0);
  if (!label_text.empty()) {
    const auto size = (8 + sizeof nifti_label_extension - 1 + label_text.size() + 15) / 16 * 16;
    extension.resize(4 + size, 0);
    extension[0] = 1;
    nifti_put(extension, 4, std::int32_t(size));
    nifti_put(extension, 8, std::int32_t(6));
    const std::string text = nifti_label_extension + label_text;
    std::copy(text.begin(), text.end(), extension.begin() + 12);
  }
  const auto offset = std::int64_t(nifti1_size + extension.size());
  const auto header = make_nifti_header(grid, datatype, bitpix, offset, !label_text.empty());

  auto part = path;
  part += ".part";
  const std::string mode = gzip ? "wb" + std::to_string(options.compression_level) : "wbT";
  errno = 0;
  gzFile file = gzopen(part.c_str(), mode.c_str());
  bool good = file != nullptr;
  const auto write = [&](const void* data, std::int64_t count) {
    const auto* from = static_cast<const std::uint8_t*>(data);
    for (std::int64_t done = 0; good && done < count;) {
      const auto step = unsigned(std::min<std::int64_t>(count - done, 1 << 24));
      good = gzwrite(file, from + done, step) == int(step);
      done += step;
    }
  };
  if (good) gzbuffer(file, 1 << 18);
  write(header.data(), std::int64_t(header.size()));
  write(extension.data(), std::int64_t(extension.size()));
  write(values, grid.size()[0] * grid.size()[1] * grid.size()[2] * (bitpix / 8));
  if (file != nullptr) good = gzclose(file) == Z_OK && good;
  std::error_code failed;
  if (!good) failed.assign(errno, std::generic_category());
  if (good) std::filesystem::rename(part, path, failed);
  if (!good || failed) {
    std::error_code ignored;
    std::filesystem::remove(part, ignored);
    throw Error(ErrorCode::io, name + ": cannot be written" + (failed ? ": " + failed.message() : ""));
  }
}

}  // namespace detail

ICHDET_INLINE bool is_nifti(const std::filesystem::path& path) {
  const auto name = path.filename().string();
  return name.ends_with(".nii") || name.ends_with(".nii.gz");
}

ICHDET_INLINE NiftiVolume read_nifti(const std::filesystem::path& path, const NiftiOptions& options) {
  return detail::read_nifti_file(path, options).volume;
}

ICHDET_INLINE LabelMap read_nifti_labels(const std::filesystem::path& path, const NiftiOptions& options) {
  const auto content = detail::read_nifti_file(path, options);
  const auto& values = content.volume.volume.hu;
  auto labels = Array3<std::uint8_t>::uninitialized(values.shape());
  std::uint8_t highest = 0;
  for (std::int64_t i = 0; i < values.size(); ++i) {
    const float value = values.data()[i];
    if (!(value >= 0 && value <= 255) || value != std::floor(value)) {
      throw Error::mismatch(ErrorCode::shape, path.string() + ", voxel " + std::to_string(i),
                            "a label, a whole number from 0 to 255", std::to_string(value));
    }
    labels.data()[i] = std::uint8_t(value);
    highest = std::max(highest, labels.data()[i]);
  }
  std::vector<std::string> names{"background"};
  for (int i = 1; i <= highest; ++i) names.push_back("label " + std::to_string(i));
  std::istringstream lines(content.label_text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::size_t label = 0;
    std::string label_name;
    if (!(words >> label) || label > 255 || !std::getline(words >> std::ws, label_name)) continue;
    while (names.size() <= label) names.push_back("label " + std::to_string(names.size()));
    names[label] = label_name;
  }
  return LabelMap(std::move(labels), std::move(names), content.volume.volume.geometry);
}

ICHDET_INLINE void write_nifti(const std::filesystem::path& path, const Volume& volume,
                               const NiftiWriteOptions& options) {
  const auto& hu = volume.hu;
  auto whole = Array3<std::int16_t>::uninitialized(hu.shape());
  bool fits = true;
  for (std::int64_t i = 0; i < hu.size() && fits; ++i) {
    const float value = hu.data()[i];
    fits = value >= -32768 && value <= 32767 && value == std::nearbyint(value);
    if (fits) whole.data()[i] = std::int16_t(value);
  }
  if (fits) {
    detail::write_nifti_file(path, volume.geometry, 4, 16, {}, whole.data(), options);
  } else {
    detail::write_nifti_file(path, volume.geometry, 16, 32, {}, hu.data(), options);
  }
}

ICHDET_INLINE void write_nifti(const std::filesystem::path& path, const LabelMap& labels,
                               const NiftiWriteOptions& options) {
  std::string text;
  for (std::size_t i = 0; i < labels.names.size(); ++i) {
    std::string name = labels.names[i];
    std::replace_if(
        name.begin(), name.end(), [](char c) { return c == '\n' || c == '\0'; }, ' ');
    text += std::to_string(i) + " " + name + "\n";
  }
  if (text.empty()) text = "0 background\n";
  detail::write_nifti_file(path, labels.geometry, 2, 8, text, labels.labels.data(), options);
}

}  // namespace ichdet::io
