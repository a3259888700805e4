#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "ichdet/core/progress.hpp"
#include "ichdet/train/manifest.hpp"

namespace ichdet::train {

/// RSNA 2019's intracranial hemorrhage data as they are published: `csv` with lines `ID_<sop>_<type>,Label`, six for
/// each slice, and `folder` with a file ID_<sop>.dcm for each. Patient and series come from the files' headers (no
/// pixel is read); the slices of a series are a study, sorted.
///
/// Slices that the CSV names twice agree, or Error(io) names both lines. Files without labels keep unknown ones; labels
/// without files, and series that cannot be read, are counted in the notes. Throws Error(io) where a line is none of
/// the kind above, or no slice has a file.
Dataset read_rsna(const std::filesystem::path& csv, const std::filesystem::path& folder,
                  const std::vector<std::string>& label_names, int threads = 0, const Progress& progress = {});

}  // namespace ichdet::train
