#include "monai_config.hpp"

#include <algorithm>
#include <fstream>
#include <sstream>

#include "../bundle/yaml.hpp"
#include "ichdet/core/error.hpp"
#include "read_json.hpp"

namespace ichdet::pipeline {
namespace {

using nlohmann::json;

json read(const std::filesystem::path& file) {
  if (file.extension() == ".json") return read_json(file);
  constexpr std::streamsize longest = 1 << 20;
  std::ifstream in(file, std::ios::binary);
  if (!in) throw Error(ErrorCode::io, file.string() + ": cannot be read");
  std::string text(longest + 1, '\0');
  in.read(text.data(), longest + 1);
  if (in.gcount() > longest) throw Error(ErrorCode::limit, file.string() + ": larger than 1 MiB");
  text.resize(std::size_t(in.gcount()));
  return bundle::parse_yaml(text, file.string());
}

/// "a#b::c" as ["a", "b", "c"].
std::vector<std::string> parts_of(std::string id) {
  for (auto at = id.find("::"); at != std::string::npos; at = id.find("::")) {
    id[at] = '#';
    id.erase(at + 1, 1);
  }
  std::vector<std::string> parts;
  std::istringstream words(id);
  for (std::string word; std::getline(words, word, '#');) parts.push_back(word);
  return parts;
}

bool is_index(const std::string& text) {
  return !text.empty() && text.size() < 6 && text.find_first_not_of("0123456789") == std::string::npos;
}

/// The id that a text is nothing but a reference to; else empty.
std::string referred(const std::string& text) {
  const auto start = text.starts_with("$@") ? 2u : text.starts_with("@") ? 1u : 0u;
  if (start == 0) return {};
  const auto id = text.substr(start);
  const auto plain = [](unsigned char c) { return std::isalnum(c) != 0 || c == '_' || c == '#' || c == ':'; };
  return std::ranges::all_of(id, plain) ? id : std::string();
}

}  // namespace

MonaiConfig::MonaiConfig(const std::filesystem::path& file, const std::map<std::string, json>& stated)
    : file_(file.string()), root_(read(file)) {
  if (!root_.is_object()) throw Error(ErrorCode::weights, file_ + ": expected an object");
  for (const auto& [id, value] : stated) {
    json* at = &root_;
    for (const auto& part : parts_of(id)) {
      if (at->is_array() && is_index(part) && std::stoul(part) < at->size()) {
        at = &(*at)[std::stoul(part)];
      } else if (at->is_object() || at->is_null()) {
        at = &(*at)[part];
      } else {
        throw Error(ErrorCode::options, "--state " + id + ": " + file_ + " has no such place");
      }
    }
    *at = value;
  }
}

const json* MonaiConfig::find(const std::string& id) const {
  const json* at = &root_;
  for (const auto& part : parts_of(id)) {
    if (at->is_array() && is_index(part) && std::stoul(part) < at->size()) {
      at = &(*at)[std::stoul(part)];
    } else if (at->is_object() && at->contains(part)) {
      at = &(*at)[part];
    } else {
      return nullptr;
    }
  }
  return at;
}

bool MonaiConfig::has(const std::string& id) const { return find(id) != nullptr; }

json MonaiConfig::resolved(const std::string& id) const {
  const auto* value = find(id);
  if (value == nullptr) throw Error(ErrorCode::weights, file_ + ": " + id + ": is missing");
  return resolve(*value, id, 0);
}

json MonaiConfig::resolve(const json& value, const std::string& id, int depth) const {
  constexpr int deepest = 32;
  if (depth > deepest) throw Error(ErrorCode::weights, file_ + ": " + id + ": nested too deeply, or refers to itself");
  if (value.is_string()) {
    const auto& text = value.get_ref<const std::string&>();
    if (const auto target = referred(text); !target.empty()) {
      if (const auto* found = find(target)) return resolve(*found, target, depth + 1);
    }
    return value;
  }
  if (value.is_array()) {
    auto list = json::array();
    for (std::size_t i = 0; i < value.size(); ++i) {
      list.push_back(resolve(value[i], id + "#" + std::to_string(i), depth + 1));
    }
    return list;
  }
  if (!value.is_object()) return value;
  auto object = json::object();
  for (const auto& [key, item] : value.items()) object[key] = resolve(item, id + "#" + key, depth + 1);
  return object;
}

}  // namespace ichdet::pipeline
