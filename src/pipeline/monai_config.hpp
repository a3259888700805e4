#pragma once

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

namespace ichdet::pipeline {

/// A MONAI bundle's configuration, its references followed.
class MonaiConfig {
 public:
  /// JSON or YAML, by the file's name. `stated` stands in place of what the file holds under those ids.
  /// Throws Error(io) and Error(weights) naming the file.
  MonaiConfig(const std::filesystem::path& file, const std::map<std::string, nlohmann::json>& stated);

  /// What stands under an id such as "network_def" or "preprocessing#transforms#0". `@id` and `$@id` in it are
  /// replaced by what they refer to; other expressions (`$...`) stay text, which no reader takes for a value.
  /// Throws Error(weights) naming the id where it is not there or refers to itself.
  nlohmann::json resolved(const std::string& id) const;
  bool has(const std::string& id) const;

  const std::string& file() const noexcept { return file_; }

 private:
  const nlohmann::json* find(const std::string& id) const;
  nlohmann::json resolve(const nlohmann::json& value, const std::string& id, int depth) const;

  std::string file_;
  nlohmann::json root_;
};

}  // namespace ichdet::pipeline
