#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "fitted.hpp"

// Fitted scans on disk.
namespace ichdet::train {

/// How a file begins. Its number is raised with each change of the format, and of what is computed: of how scans are
/// resized, masks follow, or anatomy_from_scan finds its way.
inline constexpr std::string_view fitted_mark = "ICHFIT03";

/// A hash of everything that a Fitted is made from: the bytes of scan and mask, the model's part in it, the options.
std::string fitted_key(const StudyEntry& entry, const ModelSpec& model, const PreparationOptions& options);

/// Under a temporary name first, then renamed. Throws Error(io) where it cannot be written.
void write_fitted(const std::filesystem::path& file, const Fitted& fitted);

/// Maps the file: pixels are read when they are looked at. Nothing where there is no such file, or where it is damaged,
/// cut off or of another kind.
std::optional<Fitted> read_fitted(const std::filesystem::path& file);

}  // namespace ichdet::train
