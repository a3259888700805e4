#pragma once

#include <string>
#include <vector>

#include "ichdet/bundle/bundle.hpp"
#include "ichdet/bundle/cache.hpp"

namespace ichdet::cli {

/// The bundles that names of the registry, or folders, stand for; a name may be several.
inline std::vector<Bundle> open_named(const std::vector<std::string>& names) {
  std::vector<std::filesystem::path> folders;
  for (const auto& name : names) {
    const auto found = resolve_bundles(name);
    folders.insert(folders.end(), found.begin(), found.end());
  }
  return open_bundles(folders);
}

}  // namespace ichdet::cli
