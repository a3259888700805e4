#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "ichdet/io/series.hpp"

/// What the definitions of series.hpp share.
namespace ichdet::io::detail {

/// What one file says: its slices, or why it is set aside.
struct FileRecord {
  SeriesInfo series;  ///< identity and slices of this file
  std::string sop_instance_uid;
  std::optional<SetAside> aside;
  std::optional<double> tilt_tag_degrees;
};

/// Reads one header and classifies it. Never throws but for a request to stop.
FileRecord record_of(const std::filesystem::path& file, const DicomLimits& limits);

/// The gaps that are not the usual one. `gaps` are the distances between `slices` along the normal.
std::vector<SliceGap> unusual_gaps(std::span<const SliceRef> slices, const std::vector<double>& gaps);

double median(std::vector<double> values);

}  // namespace ichdet::io::detail
