#include "fitted_file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <cstring>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string_view>
#include <thread>

#include "ichdet/core/error.hpp"

// A file is `fitted_mark`, eight bytes that tell the length of a JSON text, that text, the arrays that it tells of,
// each at a multiple of 64 bytes, and the CRC-32 of all that. Numbers are little endian, as on every machine that
// LibTorch has a build for. Arrays are not packed, so that they can be mapped: a data set may be larger than memory.
namespace ichdet::train {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::size_t alignment = 64;
constexpr std::size_t header_bytes = fitted_mark.size() + sizeof(std::uint64_t);

constexpr std::size_t aligned(std::size_t place) { return (place + alignment - 1) / alignment * alignment; }

json to_json(const Eigen::Vector3d& v) { return {v[0], v[1], v[2]}; }
Eigen::Vector3d to_vector(const json& values) {
  return Eigen::Vector3d(values.at(0).get<double>(), values.at(1).get<double>(), values.at(2).get<double>());
}

json to_json(const SliceGeometry& geometry) {
  auto planes = json::array();
  for (const auto& plane : geometry.planes()) {
    planes.push_back({to_json(plane.position_mm), to_json(plane.along_row), to_json(plane.along_column),
                      plane.column_spacing_mm, plane.row_spacing_mm, plane.thickness_mm, plane.sop_instance_uid});
  }
  return {{"planes", planes},
          {"rows", geometry.rows()},
          {"columns", geometry.columns()},
          {"frame", geometry.frame_of_reference_uid()}};
}

SliceGeometry to_geometry(const json& said) {
  std::vector<SlicePlane> planes;
  for (const auto& plane : said.at("planes")) {
    planes.push_back({to_vector(plane.at(0)), to_vector(plane.at(1)), to_vector(plane.at(2)), plane.at(3), plane.at(4),
                      plane.at(5), plane.at(6)});
  }
  return {std::move(planes), said.at("rows"), said.at("columns"), said.at("frame")};
}

/// A file in memory, as far as it is read. What is written there does not reach the file.
struct Mapping {
  std::shared_ptr<char> bytes;
  std::size_t size = 0;
};

/// Of no size where the file cannot be mapped.
Mapping map_file(const fs::path& file) {
  const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return {};
  struct stat status {};
  const auto size = ::fstat(descriptor, &status) == 0 ? std::size_t(status.st_size) : 0;
  void* address = size > 0 ? ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, descriptor, 0) : MAP_FAILED;
  ::close(descriptor);
  if (address == MAP_FAILED) return {};
  return {std::shared_ptr<char>(static_cast<char*>(address), [size](char* p) { ::munmap(p, size); }), size};
}

/// The arrays of a file, one after another.
class Arrays {
 public:
  Arrays(Mapping file, std::size_t place, std::array<std::int64_t, 3> shape)
      : file_(std::move(file)), place_(place), shape_(shape) {}

  template <class T>
  void next(bool there, Array3<T>& values) {
    if (!there) return;
    place_ = aligned(place_);
    const auto bytes = std::size_t(shape_[0] * shape_[1] * shape_[2]) * sizeof(T);
    if (place_ + bytes > file_.size) throw Error(ErrorCode::io, "cut off");
    values = Array3<T>(reinterpret_cast<T*>(file_.bytes.get() + place_), shape_, file_.bytes);
    place_ += bytes;
  }

 private:
  Mapping file_;
  std::size_t place_;
  std::array<std::int64_t, 3> shape_;
};

json to_json(const CompactAnatomy& anatomy) {
  const Eigen::Matrix<double, 3, 4> affine = anatomy.head_to_lps.affine();
  return {{"head_to_lps", std::vector<double>(affine.data(), affine.data() + affine.size())},
          {"midline", !anatomy.midline.empty()},
          {"midline_plane", anatomy.midline_plane},
          {"assumptions", anatomy.assumptions}};
}

CompactAnatomy to_anatomy(const json& said, Arrays& arrays) {
  CompactAnatomy anatomy;
  const auto affine = said.at("head_to_lps").get<std::array<double, 12>>();
  anatomy.head_to_lps.affine() = Eigen::Map<const Eigen::Matrix<double, 3, 4>>(affine.data());
  said.at("midline_plane").get_to(anatomy.midline_plane);
  said.at("assumptions").get_to(anatomy.assumptions);
  arrays.next(true, anatomy.depth);
  arrays.next(true, anatomy.ventricle);
  arrays.next(true, anatomy.csf);
  arrays.next(said.at("midline").get<bool>(), anatomy.midline);
  return anatomy;
}

template <class T>
T number_at(const Mapping& file, std::size_t place) {
  T number;
  std::memcpy(&number, file.bytes.get() + place, sizeof number);
  return number;
}

Fitted parse(const Mapping& file) {
  constexpr std::size_t crc_bytes = sizeof(std::uint32_t);
  if (file.size < header_bytes + crc_bytes) throw Error(ErrorCode::io, "cut off");
  const auto end = file.size - crc_bytes;
  const auto crc = crc32_z(0, reinterpret_cast<const Bytef*>(file.bytes.get()), end);
  if (number_at<std::uint32_t>(file, end) != crc) throw Error(ErrorCode::io, "damaged");
  const auto length = number_at<std::uint64_t>(file, fitted_mark.size());
  if (!std::string_view(file.bytes.get(), end).starts_with(fitted_mark) || length > end - header_bytes) {
    throw Error(ErrorCode::io, "no prepared study");
  }
  const auto said = json::parse(std::string_view(file.bytes.get() + header_bytes, length));
  Fitted fitted{to_geometry(said.at("geometry")), {}, {}, {}, {}, {}, said.at("reversed").get<bool>()};
  said.at("blood").get_to(fitted.blood);
  said.at("assumptions").get_to(fitted.assumptions);
  Arrays arrays({file.bytes, end}, header_bytes + length, fitted.geometry.shape());
  arrays.next(true, fitted.hu.steps);
  arrays.next(said.at("mask").get<bool>(), fitted.mask);
  if (said.contains("anatomy")) fitted.anatomy = to_anatomy(said.at("anatomy"), arrays);
  return fitted;
}

/// A stream with the CRC-32 of what it was given.
class Writer {
 public:
  explicit Writer(const fs::path& file) : stream_(file, std::ios::binary) {}

  void write(const void* bytes, std::size_t size) {
    stream_.write(static_cast<const char*>(bytes), std::streamsize(size));
    crc_ = crc32_z(crc_, static_cast<const Bytef*>(bytes), size);
    place_ += size;
  }
  template <class T>
  void write(const Array3<T>& values) {
    if (values.empty()) return;
    constexpr std::array<char, alignment> zeros{};
    write(zeros.data(), aligned(place_) - place_);
    write(values.data(), std::size_t(values.size()) * sizeof(T));
  }
  bool finish() {
    const auto crc = std::uint32_t(crc_);
    write(&crc, sizeof crc);
    stream_.close();
    return bool(stream_);
  }

 private:
  std::ofstream stream_;
  uLong crc_ = 0;
  std::size_t place_ = 0;
};

}  // namespace

void write_fitted(const fs::path& file, const Fitted& fitted) {
  json said{{"geometry", to_json(fitted.geometry)},
            {"blood", fitted.blood},
            {"mask", !fitted.mask.empty()},
            {"assumptions", fitted.assumptions},
            {"reversed", fitted.reversed}};
  if (fitted.anatomy) said["anatomy"] = to_json(*fitted.anatomy);
  const auto text = said.dump();
  const auto length = std::uint64_t(text.size());

  std::error_code failed;
  fs::create_directories(file.parent_path(), failed);
  std::ostringstream name;
  name << file.string() << '.' << ::getpid() << '.' << std::this_thread::get_id() << ".part";
  const fs::path part = name.str();
  Writer writer(part);
  writer.write(fitted_mark.data(), fitted_mark.size());
  writer.write(&length, sizeof length);
  writer.write(text.data(), text.size());
  writer.write(fitted.hu.steps);
  writer.write(fitted.mask);
  if (const auto& anatomy = fitted.anatomy) {
    for (const auto* values : {&anatomy->depth, &anatomy->ventricle, &anatomy->csf}) writer.write(*values);
    writer.write(anatomy->midline);
  }
  const bool written = writer.finish();
  if (written) fs::rename(part, file, failed);
  if (!written || failed) {
    fs::remove(part, failed);
    throw Error(ErrorCode::io, file.string() + ": cannot be written");
  }
}

std::optional<Fitted> read_fitted(const fs::path& file) {
  try {
    return parse(map_file(file));
  } catch (const Error&) {
    return std::nullopt;
  } catch (const json::exception&) {
    return std::nullopt;
  }
}

}  // namespace ichdet::train
