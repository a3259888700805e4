#pragma once

#include <string_view>
#include <vector>

/// Filled in by cmake/IchdetEmbed.cmake.
namespace ichdet::embedded {

struct Text {
  std::string_view name, text;
};

extern const std::string_view registry;       ///< bundles/registry.json
extern const std::vector<Text> converters;    ///< python/ichdet/convert/*.py
extern const std::vector<Text> recipes;       ///< recipes/*.yaml
extern const std::string_view bundles;        ///< the folder in the source tree
extern const std::string_view python;         ///< that had torch when ichdet was built; may be empty

}  // namespace ichdet::embedded
