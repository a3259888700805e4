#include "yaml.hpp"

#include <yaml-cpp/yaml.h>

#include <charconv>
#include <cmath>

#include "ichdet/core/error.hpp"

namespace ichdet::bundle {
namespace {

using nlohmann::json;

json plain_scalar(const std::string& text) {
  if (text.empty() || text == "~" || text == "null") return nullptr;
  if (text == "true") return true;
  if (text == "false") return false;
  const auto* end = text.data() + text.size();
  std::int64_t whole = 0;
  if (const auto [stop, failed] = std::from_chars(text.data(), end, whole); failed == std::errc() && stop == end) {
    return whole;
  }
  double number = 0;
  const auto [stop, failed] = std::from_chars(text.data(), end, number);
  if (failed == std::errc() && stop == end && std::isfinite(number)) return number;
  return text;
}

constexpr std::size_t longest = 4u << 20;

struct Converter {
  const std::string& subject;
  std::size_t nodes = 0, bytes = 0;  ///< with those that aliases repeat

  json operator()(const YAML::Node& node, int depth) {
    const auto refuse = [&](const std::string& what) {
      throw Error(ErrorCode::weights, subject + ": line " + std::to_string(node.Mark().line + 1) + ": " + what);
    };
    if (depth > 32 || ++nodes > 100'000) refuse("expected fewer or less deeply nested values");
    if (node.IsScalar()) bytes += node.Scalar().size();
    if (bytes > longest) refuse("expected less text");
    if (node.IsScalar()) return node.Tag() == "?" ? plain_scalar(node.Scalar()) : json(node.Scalar());
    if (node.IsSequence()) {
      json list = json::array();
      for (const auto& item : node) list.push_back((*this)(item, depth + 1));
      return list;
    }
    if (!node.IsMap()) return nullptr;
    json object = json::object();
    for (const auto& entry : node) {
      if (!entry.first.IsScalar()) refuse("expected a text as key");
      const auto& key = entry.first.Scalar();
      bytes += key.size();
      if (object.contains(key)) refuse("key \"" + key + "\" is given twice");
      object[key] = (*this)(entry.second, depth + 1);
    }
    return object;
  }
};

}  // namespace

json parse_yaml(std::string_view text, const std::string& subject) {
  try {
    const auto documents = YAML::LoadAll(std::string(text));
    if (documents.size() > 1) {
      throw Error::mismatch(ErrorCode::weights, subject, "one YAML document", std::to_string(documents.size()));
    }
    return documents.empty() ? json() : Converter{subject}(documents.front(), 0);
  } catch (const YAML::Exception& e) {
    throw Error(ErrorCode::weights,
                subject + ": line " + std::to_string(e.mark.line + 1) + ": not valid YAML: " + e.msg);
  }
}

}  // namespace ichdet::bundle
