#pragma once

#include <algorithm>
#include <array>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "ichdet/core/error.hpp"

namespace ichdet::bundle {

using nlohmann::json;

/// A value and where it stands, so that every refusal can say so.
class Node {
 public:
  Node(const json& value, std::string subject, std::string path)
      : value_(&value), subject_(std::move(subject)), path_(std::move(path)) {}

  Node at(const std::string& key) const {
    expect(value_->is_object(), "an object");
    if (!value_->contains(key)) throw Error(ErrorCode::weights, subject_ + ": " + path_ + "/" + key + ": is missing");
    return {(*value_)[key], subject_, path_ + "/" + key};
  }
  std::optional<Node> find(const std::string& key) const {
    expect(value_->is_object(), "an object");
    if (!value_->contains(key) || (*value_)[key].is_null()) return std::nullopt;
    return at(key);
  }
  Node at(std::size_t index) const { return {(*value_)[index], subject_, path_ + "/" + std::to_string(index)}; }

  void only(const std::set<std::string>& keys) const {
    expect(value_->is_object(), "an object");
    for (const auto& [key, unused] : value_->items()) {
      if (!keys.contains(key)) throw Error(ErrorCode::weights, subject_ + ": " + path_ + "/" + key + ": unknown key");
    }
  }
  std::string text(bool may_be_empty = false) const {
    expect(value_->is_string() && (may_be_empty || !value_->get_ref<const std::string&>().empty()), "a text");
    return value_->get<std::string>();
  }
  double number() const {
    expect(value_->is_number(), "a number");
    return value_->get<double>();
  }
  /// Above `low`, below `high`.
  double number_between(double low, double high) const {
    const auto text = [](double bound) { return json(bound).dump(); };
    expect(value_->is_number() && value_->get<double>() > low && value_->get<double>() < high,
           "a number between " + text(low) + " and " + text(high));
    return value_->get<double>();
  }
  std::int64_t integer(std::int64_t low, std::int64_t high) const {
    expect(value_->is_number_integer() && value_->get<std::int64_t>() >= low && value_->get<std::int64_t>() <= high,
           "an integer from " + std::to_string(low) + " to " + std::to_string(high));
    return value_->get<std::int64_t>();
  }
  bool truth() const {
    expect(value_->is_boolean(), "true or false");
    return value_->get<bool>();
  }
  std::vector<Node> list(std::size_t least) const {
    expect(value_->is_array() && value_->size() >= least, "a list of at least " + std::to_string(least));
    std::vector<Node> nodes;
    for (std::size_t i = 0; i < value_->size(); ++i) nodes.push_back(at(i));
    return nodes;
  }
  std::array<Node, 3> triple() const {
    expect(value_->is_array() && value_->size() == 3, "three values");
    return {at(0), at(1), at(2)};
  }
  /// [low, high], low the lower.
  std::array<double, 2> range() const {
    const auto ends = list(2);
    const std::array<double, 2> values{ends[0].number(), ends[1].number()};
    expect(ends.size() == 2 && values[0] < values[1], "[low, high]");
    return values;
  }
  /// One of several words, which are told where it is none.
  template <class T>
  T choice(const std::vector<std::pair<std::string, T>>& choices) const {
    std::string words;
    for (const auto& [word, value] : choices) {
      if (*value_ == word) return value;
      words += (words.empty() ? "" : ", ") + word;
    }
    expect(false, "one of " + words);
    return {};
  }
  std::string file_name() const {
    const auto name = text();
    expect(std::filesystem::path(name).filename() == name && name != "." && name != "..",
           "a file name without folders");
    return name;
  }
  std::string hash() const {
    const auto digits = text();
    expect(digits.size() == 64 && digits.find_first_not_of("0123456789abcdef") == std::string::npos,
           "64 lower-case hexadecimal digits");
    return digits;
  }
  void expect(bool ok, const std::string& expected) const {
    if (ok) return;
    auto found = value_->dump(-1, ' ', true, json::error_handler_t::replace);
    if (found.size() > 80) found = found.substr(0, 77) + "...";
    throw Error::mismatch(ErrorCode::weights, subject_ + ": " + (path_.empty() ? "/" : path_), expected, found);
  }
  const json& value() const { return *value_; }
  template <class Use>
  void each(Use&& use) const {
    expect(value_->is_object(), "an object");
    for (const auto& [key, unused] : value_->items()) use(key, at(key));
  }

 private:
  const json* value_;
  std::string subject_, path_;
};

}  // namespace ichdet::bundle
