#pragma once

#include <filesystem>
#include <string>

namespace ichdet::pipeline {

/// Throws Error(io) that names the file.
void write_text(const std::filesystem::path& file, const std::string& text);

}  // namespace ichdet::pipeline
