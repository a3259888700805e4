#pragma once

#include <cstdint>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "ichdet/core/error.hpp"

namespace ichdet::cli {

/// From "2=0", a mask's value and the model's class. Throws Error(options).
inline std::map<std::uint8_t, std::uint8_t> mask_classes(const std::vector<std::string>& texts) {
  std::map<std::uint8_t, std::uint8_t> classes;
  for (const auto& text : texts) {
    int from = -1, to = -1, end = 0;
    const bool good = std::sscanf(text.c_str(), "%d=%d%n", &from, &to, &end) == 2 && std::size_t(end) == text.size();
    if (!good || from < 0 || from > 255 || to < 0 || to > 255) {
      throw Error::mismatch(ErrorCode::options, "--mask-class", "VALUE=CLASS, such as 2=0", text);
    }
    classes[std::uint8_t(from)] = std::uint8_t(to);
  }
  return classes;
}

}  // namespace ichdet::cli
