#include "fitted_file.hpp"

#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string_view>
#include <thread>

#include "ichdet/bundle/sha256.hpp"
#include "ichdet/core/error.hpp"

// A file is `mark`, eight bytes that tell the length of a JSON text, that text, the arrays that it lists, each packed
// by zlib, and the CRC-32 of all that. Numbers are little endian, as on every machine that LibTorch has a build for.
namespace ichdet::train {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::string_view mark = "ICHFIT02";

std::string hash_of(const std::string& text) { return sha256(std::as_bytes(std::span(text))); }

/// Of a file, or of all files in a folder, whatever their names.
std::vector<std::string> hashes_of(const std::vector<fs::path>& paths) {
  std::vector<std::string> hashes;
  for (const auto& path : paths) {
    if (!fs::is_directory(path)) {
      hashes.push_back(sha256_of_file(path));
      continue;
    }
    for (const auto& file : fs::recursive_directory_iterator(path)) {
      if (file.is_regular_file()) hashes.push_back(sha256_of_file(file.path()));
    }
  }
  std::ranges::sort(hashes);
  return hashes;
}

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

template <class T>
std::string packed(const Array3<T>& values) {
  const auto bytes = uLong(values.size()) * sizeof(T);
  auto size = compressBound(bytes);
  std::string result(size, '\0');
  constexpr int fastest = 1;
  compress2(reinterpret_cast<Bytef*>(result.data()), &size, reinterpret_cast<const Bytef*>(values.data()), bytes,
            fastest);
  result.resize(size);
  return result;
}

/// The arrays of a file, taken off its front one after another.
class Unpacker {
 public:
  Unpacker(std::string_view bytes, const json& sizes, std::array<std::int64_t, 3> shape)
      : bytes_(bytes), sizes_(sizes), shape_(shape) {}

  template <class T>
  void next(Array3<T>& values) {
    const auto size = sizes_.at(index_++).get<std::size_t>();
    if (size == 0) return;
    if (size > bytes_.size()) throw Error(ErrorCode::io, "cut off");
    values = Array3<T>::uninitialized(shape_);
    auto found = uLong(values.size()) * sizeof(T);
    const auto expected = found;
    const auto* from = reinterpret_cast<const Bytef*>(bytes_.data());
    if (uncompress(reinterpret_cast<Bytef*>(values.data()), &found, from, size) != Z_OK || found != expected) {
      throw Error(ErrorCode::io, "damaged");
    }
    bytes_.remove_prefix(size);
  }

 private:
  std::string_view bytes_;
  const json& sizes_;
  std::array<std::int64_t, 3> shape_;
  std::size_t index_ = 0;
};

json to_json(const CompactAnatomy& anatomy) {
  const Eigen::Matrix<double, 3, 4> affine = anatomy.head_to_lps.affine();
  return {{"head_to_lps", std::vector<double>(affine.data(), affine.data() + affine.size())},
          {"midline_plane", anatomy.midline_plane},
          {"assumptions", anatomy.assumptions}};
}

CompactAnatomy to_anatomy(const json& said, Unpacker& arrays) {
  CompactAnatomy anatomy;
  const auto affine = said.at("head_to_lps").get<std::array<double, 12>>();
  anatomy.head_to_lps.affine() = Eigen::Map<const Eigen::Matrix<double, 3, 4>>(affine.data());
  anatomy.midline_plane = said.at("midline_plane").get<std::vector<std::array<float, 3>>>();
  anatomy.assumptions = said.at("assumptions").get<std::vector<std::string>>();
  arrays.next(anatomy.depth);
  arrays.next(anatomy.ventricle);
  arrays.next(anatomy.csf);
  arrays.next(anatomy.midline);
  return anatomy;
}

std::uint32_t crc_of(std::string_view bytes) {
  return std::uint32_t(crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

template <class T>
void append(std::string& bytes, T number) {
  bytes.append(reinterpret_cast<const char*>(&number), sizeof number);
}

template <class T>
T take_number(std::string_view bytes) {
  T number;
  std::memcpy(&number, bytes.data(), sizeof number);
  return number;
}

Fitted parse(std::string_view bytes) {
  if (bytes.size() < mark.size() + 12 || !bytes.starts_with(mark)) throw Error(ErrorCode::io, "no prepared study");
  const auto crc = take_number<std::uint32_t>(bytes.substr(bytes.size() - 4));
  bytes.remove_suffix(4);
  if (crc_of(bytes) != crc) throw Error(ErrorCode::io, "damaged");
  const auto length = take_number<std::uint64_t>(bytes.substr(mark.size()));
  bytes.remove_prefix(mark.size() + 8);
  if (length > bytes.size()) throw Error(ErrorCode::io, "cut off");
  const auto said = json::parse(bytes.substr(0, length));
  Fitted fitted{
      to_geometry(said.at("geometry")), {}, {}, said.at("blood"), {}, said.at("assumptions"), said.at("reversed")};
  Unpacker arrays(bytes.substr(length), said.at("bytes"), fitted.geometry.shape());
  arrays.next(fitted.hu.steps);
  arrays.next(fitted.mask);
  if (said.contains("anatomy")) fitted.anatomy = to_anatomy(said.at("anatomy"), arrays);
  return fitted;
}

}  // namespace

std::string fitted_key(const StudyEntry& entry, const ModelSpec& model, const PreparationOptions& options) {
  json parts{{"format", mark},
             {"scan", hashes_of(entry.files)},
             {"mask", entry.mask.empty() ? "" : sha256_of_file(entry.mask)},
             {"slices", entry.slices},
             {"tolerance", options.mask_tolerance_mm},
             {"thickness", options.slice_thickness_mm},
             {"gaps", options.allow_gaps},
             {"anatomy", options.anatomy},
             {"task", to_string(model.task)}};
  for (const auto& [from, to] : options.mask_classes) parts["mask_classes"].push_back({from, to});
  for (const auto& output : model.classes) parts["classes"].push_back(output.blood);
  if (reads_images(model.task)) {
    const auto& image = model.image;
    parts["image"] = {image.size, int(image.fit), image.spacing_mm, int(image.centre), image.slice_mm};
    if (image.clip_hu) parts["clip"] = *image.clip_hu;
  } else {
    parts["spacing"] = model.spacing_mm;
  }
  return hash_of(parts.dump());
}

void write_fitted(const fs::path& file, const Fitted& fitted) {
  json said{{"geometry", to_json(fitted.geometry)},
            {"blood", fitted.blood},
            {"assumptions", fitted.assumptions},
            {"reversed", fitted.reversed},
            {"bytes", json::array()}};
  std::string arrays;
  const auto add = [&](const auto& values) {
    const auto bytes = values.empty() ? std::string() : packed(values);
    said["bytes"].push_back(bytes.size());
    arrays += bytes;
  };
  add(fitted.hu.steps);
  add(fitted.mask);
  if (fitted.anatomy) {
    said["anatomy"] = to_json(*fitted.anatomy);
    add(fitted.anatomy->depth);
    add(fitted.anatomy->ventricle);
    add(fitted.anatomy->csf);
    add(fitted.anatomy->midline);
  }
  const auto text = said.dump();
  std::string bytes(mark);
  append(bytes, std::uint64_t(text.size()));
  bytes += text + arrays;
  append(bytes, crc_of(bytes));

  std::error_code failed;
  fs::create_directories(file.parent_path(), failed);
  std::ostringstream name;
  name << file.string() << '.' << ::getpid() << '.' << std::this_thread::get_id() << ".part";
  const fs::path part = name.str();
  std::ofstream stream(part, std::ios::binary);
  stream.write(bytes.data(), std::streamsize(bytes.size()));
  stream.close();
  if (stream) fs::rename(part, file, failed);
  if (!stream || failed) {
    fs::remove(part, failed);
    throw Error(ErrorCode::io, file.string() + ": cannot be written");
  }
}

std::optional<Fitted> read_fitted(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
  try {
    return parse(bytes);
  } catch (const Error&) {
    return std::nullopt;
  } catch (const json::exception&) {
    return std::nullopt;
  }
}

}  // namespace ichdet::train
