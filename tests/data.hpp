#pragma once

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <optional>
#include <string>

namespace ichdet::test {

/// The folder of real scans: $ICHDET_DATA, else ../shared/data beside the sources. Says loudly what is skipped
/// where `name` is not in it.
inline std::optional<std::filesystem::path> real_data(const std::string& name) {
  const char* chosen = std::getenv("ICHDET_DATA");
  const auto root = chosen != nullptr ? std::filesystem::path(chosen)
                                      : std::filesystem::path(ICHDET_SOURCE_DIR) / ".." / "shared" / "data";
  if (std::filesystem::exists(root / name)) return root / name;
  std::cout << "SKIPPED: no " << (root / name) << "; set ICHDET_DATA to the folder of real scans\n";
  return std::nullopt;
}

}  // namespace ichdet::test
