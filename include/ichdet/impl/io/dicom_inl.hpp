#pragma once

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <mutex>
#include <string>
#include <utility>

#include "ichdet/core/error.hpp"
#include "ichdet/core/parallel.hpp"
#include "ichdet/io/dicom.hpp"
#include "ichdet/io/dicom_pixels.hpp"
#include "ichdet/io/dicom_tags.hpp"

namespace ichdet::io {
namespace detail {

/// Frames of one file that one thread reads one after another.
struct ReadUnit {
  std::vector<std::int64_t> slices;
};

ICHDET_INLINE std::vector<ReadUnit> read_units(const SeriesInfo& series) {
  constexpr std::size_t frames_at_once = 16;
  std::vector<ReadUnit> units;
  for (std::size_t i = 0; i < series.slices.size(); ++i) {
    const bool continues = !units.empty() && units.back().slices.size() < frames_at_once &&
                           series.slices[std::size_t(units.back().slices.back())].file == series.slices[i].file;
    if (!continues) units.emplace_back();
    units.back().slices.push_back(std::int64_t(i));
  }
  return units;
}

ICHDET_INLINE std::string millimetres(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f mm", value);
  return text;
}

ICHDET_INLINE std::vector<SlicePlane> planes_to_read(const SeriesInfo& series, const DicomReadOptions& options,
                                                     std::vector<std::string>& assumptions) {
  std::vector<SlicePlane> planes;
  for (const auto& slice : series.slices) planes.push_back(slice.plane);
  if (options.slice_thickness_mm > 0) {
    for (auto& plane : planes) plane.thickness_mm = options.slice_thickness_mm;
    assumptions.push_back(
        std::string("Slice thickness ").append(millimetres(options.slice_thickness_mm)).append(", as asked for."));
  } else if (planes.size() == 1 && planes.front().thickness_mm <= 0) {
    planes.front().thickness_mm = 5;
    assumptions.emplace_back("The file does not state the slice's thickness: taken as 5 mm.");
  }
  return planes;
}

ICHDET_INLINE void check_readable(const SeriesInfo& series, const DicomReadOptions& options,
                                  std::vector<std::string>& assumptions) {
  if (!series.problems.empty()) throw Error(ErrorCode::dicom, series.problems.front());
  if (series.slices.empty()) throw Error(ErrorCode::dicom, describe(series) + ": expected slices, found none");
  if (!std::isfinite(options.slice_thickness_mm) || options.slice_thickness_mm < 0) {
    throw Error::mismatch(ErrorCode::options, "slice_thickness_mm", "0 or a positive number",
                          std::to_string(options.slice_thickness_mm));
  }
  for (const auto& gap : series.gaps) {
    const auto& before = series.slices[std::size_t(gap.after)].file;
    const auto& behind = series.slices[std::size_t(gap.after) + 1].file;
    if (gap.missing && !options.allow_gaps) {
      throw Error(ErrorCode::geometry, describe(series) + ": expected " + millimetres(gap.usual_mm) + " between " +
                                           before.string() + " and " + behind.string() + ", found " +
                                           millimetres(gap.gap_mm) + ": a slice is missing (" + gap.reason +
                                           "); allow gaps to read the rest");
    }
    if (gap.missing) {
      assumptions.push_back("A slice is missing after slice " + std::to_string(gap.after) + ": " +
                            millimetres(gap.gap_mm) + " to the next, usually " + millimetres(gap.usual_mm) +
                            "; read as asked for.");
    }
  }
  const auto own = std::count_if(series.gaps.begin(), series.gaps.end(), [](const auto& gap) { return !gap.missing; });
  if (own > 0) {
    assumptions.push_back("Distances between slices vary (" + std::to_string(own) + " of " +
                          std::to_string(series.slices.size() - 1) + " are not the usual " +
                          millimetres(series.gap_mm) + "): taken for the protocol's own spacing.");
  }
}

ICHDET_INLINE void note_pixels(const SeriesInfo& series, const DicomReadOptions& options,
                               std::vector<std::string>& assumptions) {
  const auto count = [&](auto&& predicate) {
    return std::to_string(std::count_if(series.slices.begin(), series.slices.end(), predicate));
  };
  const auto any = [&](auto&& predicate) { return std::any_of(series.slices.begin(), series.slices.end(), predicate); };
  const auto inverted = [](const SliceRef& slice) { return slice.pixels.photometric == "MONOCHROME1"; };
  if (any(inverted)) {
    assumptions.push_back("MONOCHROME1 in " + count(inverted) +
                          " slice(s): only a display differs, the stored values are read as Hounsfield units.");
  }
  const auto lossy = [](const SliceRef& slice) { return slice.pixels.lossy; };
  if (any(lossy)) assumptions.push_back("Compressed with loss: " + count(lossy) + " slice(s).");
  if (options.repair_wrapped_12bit && any(is_wrapped_12bit)) {
    assumptions.push_back("Wrapped 12-bit values mended (repair_wrapped_12bit) in " + count(is_wrapped_12bit) +
                          " slice(s): BitsStored 12, unsigned, RescaleIntercept above -100.");
  }
  for (const auto& note : series.notes) assumptions.push_back(note + ".");
}

}  // namespace detail

ICHDET_INLINE bool is_wrapped_12bit(const SliceRef& slice) noexcept {
  return slice.pixels.bits_stored == 12 && !slice.pixels.is_signed && slice.intercept > -100;
}

ICHDET_INLINE void repair_wrapped_12bit(std::span<float> hu, double slope, double intercept) {
  for (float& value : hu) {
    double stored = std::round((double(value) - intercept) / slope) + 1000;
    if (stored >= 4096) stored -= 4096;
    value = float(stored * slope - 1000);
  }
}

ICHDET_INLINE SliceStack read_series(const SeriesInfo& series, const DicomReadOptions& options,
                                     const Progress& progress) {
  std::vector<std::string> assumptions;
  detail::check_readable(series, options, assumptions);
  SliceGeometry geometry(detail::planes_to_read(series, options, assumptions), series.rows, series.columns,
                         series.frame_of_reference_uid);
  detail::note_pixels(series, options, assumptions);
  const auto shape = geometry.shape();
  if (shape[0] > options.max_bytes / 4 / shape[1] / shape[2]) {
    throw Error::mismatch(
        ErrorCode::limit, describe(series), "at most " + std::to_string(options.max_bytes) + " bytes of HU",
        std::to_string(shape[0]) + " x " + std::to_string(shape[1]) + " x " + std::to_string(shape[2]));
  }
  const bool may_be_padded = std::any_of(series.slices.begin(), series.slices.end(),
                                         [](const auto& slice) { return slice.pixels.padding_value.has_value(); });
  // The threads that fill the pages are the first to touch them.
  auto hu = Array3<float>::uninitialized(shape);
  auto padding = may_be_padded ? Array3<std::uint8_t>::uninitialized(shape) : Array3<std::uint8_t>();
  std::atomic<bool> padded{false};
  std::mutex reporting;
  std::int64_t done = 0;
  const auto units = detail::read_units(series);
  parallel_for(std::int64_t(units.size()), options.threads, [&](std::int64_t unit) {
    const auto& indices = units[std::size_t(unit)].slices;
    const auto& first = series.slices[std::size_t(indices.front())];
    FrameReader reader(first.file, first.pixels);
    std::vector<std::uint8_t> stored(std::size_t(shape[1] * shape[2] * (first.pixels.bits_allocated / 8)));
    for (const std::int64_t k : indices) {
      const auto& slice = series.slices[std::size_t(k)];
      reader.read(slice.frame, stored);
      to_hu(stored, slice.pixels, slice.slope, slice.intercept, hu.plane(k));
      if (options.repair_wrapped_12bit && is_wrapped_12bit(slice)) {
        repair_wrapped_12bit(hu.plane(k), slice.slope, slice.intercept);
      }
      if (may_be_padded && mark_padding(stored, slice.pixels, padding.plane(k))) padded = true;
      const std::scoped_lock lock(reporting);
      progress("reading", double(++done) / double(shape[0]));
    }
  });
  SliceStack stack(std::move(geometry), std::move(hu), padded ? std::move(padding) : Array3<std::uint8_t>());
  stack.identity = series.identity;
  stack.assumptions = std::move(assumptions);
  return stack;
}

ICHDET_INLINE SliceStack read_dicom(const std::vector<std::filesystem::path>& inputs, const DicomReadOptions& options,
                                    const SelectOptions& select, const Progress& progress) {
  ScanOptions scanning;
  scanning.threads = options.threads;
  const Inventory inventory = scan(inputs, scanning, progress);
  const SeriesChoice choice = choose_head_series(inventory, select);
  const auto& series = inventory.series[choice.index];
  SliceStack stack = read_series(series, options, progress);
  auto& assumptions = stack.assumptions;
  assumptions.insert(assumptions.begin(), choice.assumptions.begin(), choice.assumptions.end());
  for (const auto& aside : inventory.set_aside) {
    const bool of_series = aside.series_instance_uid == series.identity.series_instance_uid;
    if (aside.rule == SetAsideRule::unreadable || (of_series && aside.rule != SetAsideRule::localizer)) {
      assumptions.push_back(aside.file.string() + " was set aside as " + std::string(to_string(aside.rule)) + ": " +
                            aside.detail + ".");
    }
  }
  return stack;
}

}  // namespace ichdet::io
