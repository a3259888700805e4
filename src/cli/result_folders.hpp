#pragma once

#include <filesystem>
#include <string>

#include "ichdet/evaluate/csv.hpp"

namespace ichdet::cli {

/// Predictions as `ichdet evaluate` reads them: a CSV file, or a folder whose folders are results of `ichdet detect`,
/// each named as its study. Of such, a study's row is its probability before any calibration; a slice's are the columns
/// of slices.csv, and slices without head are left out.
/// Throws Error(io) where none is found or cannot be read, Error(options) for lesions of a folder.
evaluate::CsvTable read_predictions(const std::filesystem::path& file_or_folder, const std::string& target);

}  // namespace ichdet::cli
