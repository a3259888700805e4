#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

#include "ichdet/core/progress.hpp"

namespace ichdet {

/// SHA-256 of some bytes, as 64 lower-case hexadecimal digits.
std::string sha256(std::span<const std::byte> bytes);

/// SHA-256 of a file, read in pieces. Throws Error(io) where it cannot be read, Error(cancelled) on request.
std::string sha256_of_file(const std::filesystem::path& file, const Progress& progress = {});

}  // namespace ichdet
