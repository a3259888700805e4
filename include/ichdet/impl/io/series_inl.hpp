#pragma once

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <mutex>
#include <set>
#include <tuple>
#include <utility>

#include "ichdet/core/error.hpp"
#include "ichdet/core/parallel.hpp"
#include "ichdet/impl/io/series_detail.hpp"
#include "ichdet/io/dicom_tags.hpp"

namespace ichdet::io {
namespace detail {

/// Every regular file among and below the inputs, each once, by path.
ICHDET_INLINE std::vector<std::filesystem::path> files_below(const std::vector<std::filesystem::path>& inputs) {
  namespace fs = std::filesystem;
  std::set<fs::path> files;
  for (const auto& input : inputs) {
    std::error_code failure;
    const auto status = fs::status(input, failure);
    if (!fs::exists(status)) throw Error(ErrorCode::io, input.string() + ": no such file or folder");
    if (!fs::is_directory(status)) {
      files.insert(input.lexically_normal());
      continue;
    }
    fs::recursive_directory_iterator entry(input, fs::directory_options::skip_permission_denied, failure);
    if (failure) throw Error(ErrorCode::io, input.string() + ": cannot be listed: " + failure.message());
    while (entry != fs::recursive_directory_iterator()) {
      std::error_code unknown;  // a link to nowhere, say
      if (entry->is_regular_file(unknown)) files.insert(entry->path().lexically_normal());
      entry.increment(failure);  // a failure ends the iteration
      if (failure) throw Error(ErrorCode::io, input.string() + ": cannot be listed: " + failure.message());
    }
  }
  return {files.begin(), files.end()};
}

/// Images that may be stacked: of one matrix size and parallel.
ICHDET_INLINE bool stackable(const SeriesInfo& a, const SeriesInfo& b) {
  if (a.rows != b.rows || a.columns != b.columns) return false;
  const auto &p = a.slices.front().plane, &q = b.slices.front().plane;
  return p.along_row.dot(q.along_row) > 1 - 5e-5 && p.along_column.dot(q.along_column) > 1 - 5e-5;
}

ICHDET_INLINE double offset_mm(const SliceRef& slice, const Eigen::Vector3d& normal) {
  return normal.dot(slice.plane.position_mm);
}

ICHDET_INLINE void sort_along_normal(SeriesInfo& series) {
  if (series.slices.empty()) return;
  const Eigen::Vector3d normal = series.slices.front().plane.normal();
  std::stable_sort(series.slices.begin(), series.slices.end(), [&](const auto& a, const auto& b) {
    return std::pair(offset_mm(a, normal), a.instance_number) < std::pair(offset_mm(b, normal), b.instance_number);
  });
}

ICHDET_INLINE bool positions_coincide(const SeriesInfo& series) {
  if (series.slices.empty()) return false;
  const Eigen::Vector3d normal = series.slices.front().plane.normal();
  for (std::size_t i = 1; i < series.slices.size(); ++i) {
    if (offset_mm(series.slices[i], normal) - offset_mm(series.slices[i - 1], normal) < 1e-3) return true;
  }
  return false;
}

ICHDET_INLINE std::string name_of(const SliceRef& slice) {
  return slice.file.string() + (slice.pixels.frames > 1 ? " frame " + std::to_string(slice.frame) : "");
}

/// Fills in what follows from the slices together. They are sorted.
ICHDET_INLINE void summarize(SeriesInfo& series, std::optional<double> tilt_tag_degrees) {
  if (series.slices.empty()) return;
  const auto &first = series.slices.front(), &last = series.slices.back();
  series.row_spacing_mm = first.plane.row_spacing_mm;
  series.column_spacing_mm = first.plane.column_spacing_mm;
  series.thickness_mm = first.plane.thickness_mm;
  const Eigen::Vector3d normal = first.plane.normal();
  std::vector<double> gaps;
  for (std::size_t i = 1; i < series.slices.size(); ++i) {
    const auto &before = series.slices[i - 1], &here = series.slices[i];
    gaps.push_back(offset_mm(here, normal) - offset_mm(before, normal));
    if (gaps.back() < 1e-3) {
      series.problems.push_back(Error::mismatch(ErrorCode::dicom, tag_in_file(here.file, tag::image_position),
                                                "a place of its own", "the place of " + name_of(before))
                                    .what());
    }
  }
  if (gaps.empty()) return;
  series.gap_mm = median(gaps);
  series.extent_mm = offset_mm(last, normal) - offset_mm(first, normal);
  const Eigen::Vector3d way = last.plane.position_mm - first.plane.position_mm;
  if (way.norm() > 1e-3) {
    series.tilt_degrees = std::acos(std::clamp(way.normalized().dot(normal), -1.0, 1.0)) * 180 / 3.14159265358979323846;
    if (tilt_tag_degrees && std::abs(std::abs(*tilt_tag_degrees) - *series.tilt_degrees) > 1) {
      series.notes.push_back("GantryDetectorTilt says " + std::to_string(*tilt_tag_degrees) +
                             " degrees, orientation and positions say " + std::to_string(*series.tilt_degrees) +
                             "; the latter are used");
    }
  }
  if (series.problems.empty()) series.gaps = unusual_gaps(series.slices, gaps);
}

ICHDET_INLINE SeriesInfo join(const std::vector<FileRecord*>& records) {
  SeriesInfo series = records.front()->series;
  std::optional<double> tilt_tag = records.front()->tilt_tag_degrees;
  for (std::size_t i = 1; i < records.size(); ++i) {
    const auto& next = records[i]->series;
    series.slices.insert(series.slices.end(), next.slices.begin(), next.slices.end());
    series.problems.insert(series.problems.end(), next.problems.begin(), next.problems.end());
    if (records[i]->tilt_tag_degrees != tilt_tag) tilt_tag.reset();
    if (next.frame_of_reference_uid != series.frame_of_reference_uid && series.notes.empty()) {
      series.notes.push_back("the slices name more than one FrameOfReferenceUID; that of the first is used");
    }
    series.contrast = series.contrast || next.contrast;
  }
  sort_along_normal(series);
  summarize(series, tilt_tag);
  return series;
}

using Records = std::vector<FileRecord*>;

ICHDET_INLINE std::size_t image_count(const Records& records) {
  std::size_t count = 0;
  for (const auto* record : records) count += record->series.slices.size();
  return count;
}

/// Parts of one series whose images may be stacked, largest first; those after it of at most 3 images are strays.
ICHDET_INLINE std::vector<Records> stackable_parts(const Records& records) {
  std::vector<Records> parts;
  for (auto* record : records) {
    const auto fits = std::find_if(parts.begin(), parts.end(), [&](const Records& part) {
      return stackable(part.front()->series, record->series);
    });
    if (fits != parts.end()) {
      fits->push_back(record);
    } else {
      parts.push_back({record});
    }
  }
  std::stable_sort(parts.begin(), parts.end(),
                   [](const Records& a, const Records& b) { return image_count(a) > image_count(b); });
  return parts;
}

/// By kernel, where several are in the part and their images lie in the same places; else the part as it is.
ICHDET_INLINE std::vector<Records> by_kernel(const Records& part) {
  std::map<std::string, Records> kernels;
  for (auto* record : part) kernels[record->series.identity.convolution_kernel].push_back(record);
  if (kernels.size() < 2 || !positions_coincide(join(part))) return {part};
  std::vector<Records> parts;
  for (auto& [kernel, records] : kernels) parts.push_back(std::move(records));
  return parts;
}

ICHDET_INLINE std::string shape_of(const SeriesInfo& series) {
  std::string text = std::to_string(series.rows) + " x " + std::to_string(series.columns);
  const auto normal = series.slices.front().plane.normal();
  char numbers[64];
  std::snprintf(numbers, sizeof numbers, ", normal (%.2f, %.2f, %.2f)", normal.x(), normal.y(), normal.z());
  return text + numbers;
}

/// One series, or its parts; strays go to `inventory.set_aside`. What is wrong with single files is a problem of the
/// largest part.
ICHDET_INLINE void add_series(const Records& records, Inventory& inventory) {
  Records readable, broken;
  for (auto* record : records) (record->series.problems.empty() ? readable : broken).push_back(record);
  std::vector<SeriesInfo> parts;
  const auto stacks = stackable_parts(readable);
  for (const auto& stack : stacks) {
    if (image_count(stack) > 3 || image_count(stack) == image_count(stacks.front())) {
      for (const auto& part : by_kernel(stack)) parts.push_back(join(part));
      continue;
    }
    for (const auto* stray : stack) {
      const auto& id = stray->series.identity;
      const auto& usual = stacks.front().front()->series;
      inventory.set_aside.push_back({stray->series.slices.front().file, SetAsideRule::stray_image,
                                     shape_of(stray->series) + " in a series of " + shape_of(usual),
                                     id.series_instance_uid, id.series_description});
    }
  }
  if (parts.empty()) parts.push_back(join({broken.front()}));
  for (const auto* record : broken) {
    auto& problems = parts.front().problems;
    if (readable.empty() && record == broken.front()) continue;
    problems.insert(problems.end(), record->series.problems.begin(), record->series.problems.end());
  }
  for (std::size_t i = 0; i < parts.size(); ++i) {
    parts[i].part = parts.size() > 1 ? int(i) + 1 : 0;
    inventory.series.push_back(std::move(parts[i]));
  }
}

}  // namespace detail

ICHDET_INLINE std::string_view to_string(SetAsideRule rule) noexcept {
  switch (rule) {
    case SetAsideRule::not_dicom: return "not DICOM";
    case SetAsideRule::unreadable: return "unreadable";
    case SetAsideRule::not_ct: return "not CT";
    case SetAsideRule::no_pixels: return "no pixels";
    case SetAsideRule::localizer: return "localizer";
    case SetAsideRule::exam_summary: return "exam summary/secondary capture";
    case SetAsideRule::duplicate: return "duplicate";
    case SetAsideRule::stray_image: return "stray orientation";
  }
  return "unknown";
}

ICHDET_INLINE std::int64_t SeriesInfo::missing_slices() const {
  return std::count_if(gaps.begin(), gaps.end(), [](const SliceGap& gap) { return gap.missing; });
}

ICHDET_INLINE Inventory scan(const std::vector<std::filesystem::path>& inputs, const ScanOptions& options,
                             const Progress& progress) {
  const auto files = detail::files_below(inputs);
  std::vector<detail::FileRecord> records(files.size());
  std::mutex reporting;
  std::size_t done = 0;
  parallel_for(std::int64_t(files.size()), options.threads, [&](std::int64_t i) {
    records[std::size_t(i)] = detail::record_of(files[std::size_t(i)], options.limits);
    const std::scoped_lock lock(reporting);
    progress("scanning", double(++done) / double(files.size()));
  });

  Inventory inventory;
  if (!inputs.empty()) {
    inventory.name = inputs.front().string();
    if (inputs.size() > 1) inventory.name += " and " + std::to_string(inputs.size() - 1) + " more";
  }
  std::map<std::pair<std::string, std::string>, detail::Records> by_series;
  std::map<std::pair<std::string, std::string>, std::filesystem::path> instances;
  for (std::size_t i = 0; i < records.size(); ++i) {
    auto& record = records[i];
    const auto& id = record.series.identity;
    if (!record.aside && !record.sop_instance_uid.empty()) {
      const auto [first, is_new] = instances.try_emplace({id.series_instance_uid, record.sop_instance_uid}, files[i]);
      if (!is_new) {
        record.aside = SetAside{files[i], SetAsideRule::duplicate, "same SOPInstanceUID as " + first->second.string(),
                                id.series_instance_uid, id.series_description};
      }
    }
    if (record.aside) {
      inventory.set_aside.push_back(*record.aside);
    } else {
      by_series[{id.study_instance_uid, id.series_instance_uid}].push_back(&record);
    }
  }
  for (const auto& [uids, of_series] : by_series) detail::add_series(of_series, inventory);

  std::stable_sort(inventory.series.begin(), inventory.series.end(), [](const SeriesInfo& a, const SeriesInfo& b) {
    const auto key = [](const SeriesInfo& s) {
      return std::tuple(s.identity.study_instance_uid, s.series_number, s.identity.series_instance_uid, s.part);
    };
    return key(a) < key(b);
  });
  std::stable_sort(inventory.set_aside.begin(), inventory.set_aside.end(),
                   [](const SetAside& a, const SetAside& b) { return a.file < b.file; });
  return inventory;
}

}  // namespace ichdet::io
