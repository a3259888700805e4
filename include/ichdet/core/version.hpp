#pragma once

#include <string_view>

namespace ichdet {

/// Semantic version of the library, as every result states it. CMake reads it from here.
inline constexpr std::string_view version = "0.1.0";

}  // namespace ichdet
