#include "read_scan.hpp"

#include <algorithm>
#include <cmath>

#include "ichdet/core/error.hpp"
#include "ichdet/io/dicom.hpp"
#include "ichdet/io/nifti.hpp"
#include "ichdet/io/study.hpp"
#include "ichdet/preprocess/resample.hpp"

namespace ichdet::train {
namespace {

SliceStack read_stack(const StudyEntry& entry, const PreparationOptions& options) {
  if (entry.files.size() == 1) {
    io::StudyOptions read;
    read.allow_gaps = options.allow_gaps;
    read.slice_thickness_mm = options.slice_thickness_mm;
    return io::read_study(entry.files.front(), read).stack;
  }
  io::DicomReadOptions read;
  read.allow_gaps = options.allow_gaps;
  read.slice_thickness_mm = options.slice_thickness_mm;
  read.threads = 1;
  return io::read_dicom(entry.files, read);
}

/// A file's values to the model's classes.
std::array<std::uint8_t, 256> class_table(const ModelSpec& model, const PreparationOptions& options,
                                          const Array3<std::uint8_t>& values, const std::string& file) {
  std::array<std::int64_t, 256> voxels{};
  for (const auto value : values) ++voxels[value];
  std::array<std::uint8_t, 256> table{};
  const bool named = model.task == Task::segmentation || model.task == Task::slice_segmentation;
  for (int value = 0; value < 256; ++value) {
    table[std::size_t(value)] = std::uint8_t(value);
    if (voxels[std::size_t(value)] == 0 || value == unknown_label) continue;
    const auto given = options.mask_classes.find(std::uint8_t(value));
    const auto found = std::to_string(value) + " in " + std::to_string(voxels[std::size_t(value)]) + " voxels";
    if (given != options.mask_classes.end()) {
      table[std::size_t(value)] = given->second;
    } else if (value != 0 && !options.mask_classes.empty()) {
      throw Error::mismatch(ErrorCode::shape, file, "values that mask_classes names", found);
    }
    const auto to = table[std::size_t(value)];
    if (named && to >= model.classes.size() && to != unknown_label) {
      throw Error::mismatch(ErrorCode::shape, file,
                            "values 0 to " + std::to_string(model.classes.size() - 1) + ", the model's classes", found);
    }
  }
  return table;
}

/// The largest distance between corner voxels.
double distance_mm(const Geometry& a, const Geometry& b) {
  double most = 0;
  for (int corner = 0; corner < 8; ++corner) {
    Eigen::Vector3d index;
    for (int axis = 0; axis < 3; ++axis) index[axis] = (corner >> axis & 1) * double(a.size()[std::size_t(axis)] - 1);
    most = std::max(most, (a.to_lps(index) - b.to_lps(index)).norm());
  }
  return most;
}

Array3<std::uint8_t> read_mask(const std::filesystem::path& file, const SliceGeometry& slices, const ModelSpec& model,
                               const PreparationOptions& options) {
  auto labels = io::read_nifti_labels(file);
  const auto grid = slices.nominal();
  const auto scan_grid = grid.reoriented_to_lps(), mask_grid = labels.geometry.reoriented_to_lps();
  if (scan_grid.size() != mask_grid.size()) {
    throw Error::mismatch(ErrorCode::geometry, file.string(), "the scan's grid, " + scan_grid.to_string(),
                          mask_grid.to_string());
  }
  if (const double off = distance_mm(scan_grid, mask_grid); !(off <= options.mask_tolerance_mm)) {
    char text[64];
    std::snprintf(text, sizeof text, ": corners up to %.3g mm apart", off);
    throw Error::mismatch(ErrorCode::geometry, file.string(),
                          "corner voxels within " + std::to_string(options.mask_tolerance_mm) + " mm of the scan's, " +
                              scan_grid.to_string(),
                          mask_grid.to_string() + text);
  }
  const auto table = class_table(model, options, labels.labels, file.string());
  // The same lattice: nearest neighbours move every voxel and change none.
  auto mask = resample_to(LabelMap(labels.labels, labels.names, labels.geometry), grid, 1).labels;
  std::ranges::transform(mask, mask.begin(), [&](auto value) { return table[value]; });
  return mask;
}

}  // namespace

Scan read_scan(const StudyEntry& entry, const ModelSpec& model, const PreparationOptions& options) {
  auto stack = read_stack(entry, options);
  if (entry.slices > 0 && entry.slices != stack.geometry.count()) {
    throw Error::mismatch(ErrorCode::geometry, "the scan", std::to_string(entry.slices) + " slices",
                          std::to_string(stack.geometry.count()));
  }
  Array3<std::uint8_t> mask;
  if (!entry.mask.empty()) mask = read_mask(entry.mask, stack.geometry, model, options);
  return {std::move(stack), std::move(mask)};
}

}  // namespace ichdet::train
