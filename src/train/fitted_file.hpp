#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "fitted.hpp"

// Fitted scans on disk.
namespace ichdet::train {

/// A hash of everything that a Fitted is made from: the bytes of scan and mask, the model's part in it, the options.
std::string fitted_key(const StudyEntry& entry, const ModelSpec& model, const PreparationOptions& options);

/// Under a temporary name first, then renamed. Throws Error(io) where it cannot be written.
void write_fitted(const std::filesystem::path& file, const Fitted& fitted);

/// Nothing where there is no such file, or where it is damaged, cut off or of another kind.
std::optional<Fitted> read_fitted(const std::filesystem::path& file);

}  // namespace ichdet::train
