#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "ichdet/core/error.hpp"
#include "ichdet/models/classifier.hpp"

namespace ichdet::models {

/// Reads a bundle's `architecture.options`. All it throws is Error(weights) that starts with `subject` and names the
/// key.
class OptionReader {
 public:
  OptionReader(const nlohmann::json& json, const std::string& subject)
      : json_(json), where_(subject + ": /architecture/options") {}

  /// Leaves `value` as it is where the key is absent.
  template <class T>
  void read(const char* key, T& value) {
    known_.insert(key);
    if (!json_.contains(key)) return;
    read(key, value, json_.at(key));
  }
  /// From `found`, made of what stands under the key.
  template <class T>
  void read(const char* key, T& value, const nlohmann::json& found) const {
    try {
      found.get_to(value);
    } catch (const nlohmann::json::exception& e) {
      fail(std::string(key) + ": " + e.what());
    }
  }
  void read(const char* key, std::int64_t& value, std::int64_t low, std::int64_t high) {
    if (json_.contains(key) && !json_.at(key).is_number_integer()) fail(std::string(key) + ": expected an integer");
    read(key, value);
    within(key, value, low, high);
  }
  void within(const std::string& key, std::int64_t value, std::int64_t low, std::int64_t high) const {
    if (value >= low && value <= high) return;
    fail(key + ": expected " + std::to_string(low) + " to " + std::to_string(high) + ", found " +
         std::to_string(value));
  }
  void check(bool ok, const std::string& what) const {
    if (!ok) fail(what);
  }
  /// No key may be left that was not read.
  void finish() const {
    for (const auto& [key, value] : json_.items()) check(known_.contains(key), key + ": unknown key");
  }

 private:
  [[noreturn]] void fail(const std::string& what) const { throw Error(ErrorCode::weights, where_ + "/" + what); }

  const nlohmann::json& json_;
  std::string where_;
  std::set<std::string, std::less<>> known_;
};

inline void read_channels_and_classes(OptionReader& reader, ClassifierOptions& options) {
  reader.read("in_chans", options.in_chans, 1, 4096);
  reader.read("num_classes", options.num_classes, 0, 65536);
}

}  // namespace ichdet::models
