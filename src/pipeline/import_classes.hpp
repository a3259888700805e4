#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace ichdet::pipeline {

/// A bundle's `classes` of names, the first being background. Throws Error(options) where `blood` is empty or names no
/// other class.
nlohmann::json classes_of(const std::vector<std::string>& names, const std::vector<std::string>& blood);

}  // namespace ichdet::pipeline
