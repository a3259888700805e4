#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "ichdet/core/error.hpp"

namespace ichdet::pipeline {

/// A value of a file that another program wrote, and where it stands. Every refusal is Error(weights) that names both.
class JsonReader {
 public:
  JsonReader(const nlohmann::json& value, std::string file, std::string path = {})
      : value_(&value), file_(std::move(file)), path_(std::move(path)) {}

  JsonReader at(const std::string& key) const {
    if (auto found = find(key)) return *found;
    throw Error(ErrorCode::weights, file_ + ": " + path_ + "/" + key + ": is missing");
  }
  /// Nothing where the key is missing or null.
  std::optional<JsonReader> find(const std::string& key) const {
    expect(value_->is_object(), "an object");
    const auto found = value_->find(key);
    if (found == value_->end() || found->is_null()) return std::nullopt;
    return JsonReader(*found, file_, path_ + "/" + key);
  }
  std::vector<JsonReader> list() const {
    expect(value_->is_array(), "a list");
    std::vector<JsonReader> nodes;
    for (std::size_t i = 0; i < value_->size(); ++i) {
      nodes.emplace_back((*value_)[i], file_, path_ + "/" + std::to_string(i));
    }
    return nodes;
  }
  nlohmann::json::object_t object() const {
    expect(value_->is_object(), "an object");
    return value_->get<nlohmann::json::object_t>();
  }
  std::string text() const {
    expect(value_->is_string() && !value_->get_ref<const std::string&>().empty(), "a text");
    return value_->get<std::string>();
  }
  std::int64_t integer() const {
    expect(value_->is_number_integer(), "a whole number");
    return value_->get<std::int64_t>();
  }
  double number() const {
    expect(value_->is_number(), "a number");
    return value_->get<double>();
  }
  void expect(bool ok, const std::string& what) const {
    if (ok) return;
    const bool expression = value_->is_string() && value_->get_ref<const std::string&>().starts_with("$");
    throw Error::mismatch(ErrorCode::weights, where(), what,
                          value_->dump() + (expression ? ", which is not evaluated: state its value" : ""));
  }
  void expect_equal(const nlohmann::json& only) const { expect(*value_ == only, only.dump()); }

  const nlohmann::json& value() const noexcept { return *value_; }
  std::string where() const { return file_ + ": " + path_; }

 private:
  const nlohmann::json* value_;
  std::string file_, path_;
};

}  // namespace ichdet::pipeline
