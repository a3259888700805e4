#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace ichdet::bundle {

/// A YAML document as JSON: plain scalars by YAML's core schema (null, true, false, numbers, else text), quoted ones
/// text. Throws Error(weights) that names `subject` and the line, for what is no YAML, is deeper than 32 levels, has
/// more than 100,000 nodes, or a key twice.
nlohmann::json parse_yaml(std::string_view text, const std::string& subject);

}  // namespace ichdet::bundle
