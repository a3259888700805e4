#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>

namespace ichdet::pipeline {

/// Throws Error(io) where the file cannot be read, Error(weights) where it is no JSON; each names it.
nlohmann::json read_json(const std::filesystem::path& file);

}  // namespace ichdet::pipeline
