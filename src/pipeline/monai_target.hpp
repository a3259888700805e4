#pragma once

#include <string>

#include "json_reader.hpp"

namespace ichdet::pipeline {

/// The class that a MONAI component is made of, without its module.
inline std::string target_of(const JsonReader& component) {
  const auto name = component.at("_target_").text();
  return name.substr(name.rfind('.') + 1);
}

}  // namespace ichdet::pipeline
