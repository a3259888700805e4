#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace ichdet::cli {

/// "all", or indices from 0, as in result.json, and ranges of them: "3,7-12". Throws Error(options) that names
/// --slices.
std::vector<std::int64_t> parse_slices(std::string_view text, std::int64_t count);

}  // namespace ichdet::cli
