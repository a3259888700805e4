#pragma once

#include <string>
#include <vector>

#include "ichdet/bundle/bundle.hpp"
#include "ichdet/bundle/cache.hpp"

namespace ichdet::cli {

/// What `ichdet detect` and `classify` use where nothing else is asked for.
inline constexpr const char* default_detector = "blast-ct-v1";
inline constexpr const char* default_classifier = "s1";

/// The bundles that names, or folders, stand for; a name may be several.
inline std::vector<Bundle> open_named(const std::vector<std::string>& names) {
  std::vector<std::filesystem::path> folders;
  for (const auto& name : names) {
    const auto found = resolve_bundles(name);
    folders.insert(folders.end(), found.begin(), found.end());
  }
  return open_bundles(folders);
}

}  // namespace ichdet::cli
