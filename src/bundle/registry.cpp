#include "ichdet/bundle/registry.hpp"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <utility>

#include "embedded.hpp"

namespace ichdet {
namespace {

using nlohmann::json;

/// A JSON object with the words to name it in an error.
struct Node {
  const json& value;
  std::string subject;

  const json& at(const char* key) const {
    if (!value.is_object() || !value.contains(key)) {
      throw Error(ErrorCode::weights, subject + ": expected a field \"" + key + "\", found none");
    }
    return value.at(key);
  }
  Node child(const char* key) const { return {at(key), subject + "." + key}; }

  std::string text(const char* key) const {
    const json& found = at(key);
    if (!found.is_string() || found.get<std::string>().empty()) {
      throw Error::mismatch(ErrorCode::weights, subject + "." + key, "a text", found.dump());
    }
    return found.get<std::string>();
  }
  std::vector<std::string> texts(const char* key) const {
    std::vector<std::string> result;
    for (const auto& item : items(key)) {
      if (!item.value.is_string()) throw Error::mismatch(ErrorCode::weights, item.subject, "a text", item.value.dump());
      result.push_back(item.value.get<std::string>());
    }
    return result;
  }
  std::vector<Node> items(const char* key) const {
    const json& found = at(key);
    if (!found.is_array()) throw Error::mismatch(ErrorCode::weights, subject + "." + key, "a list", found.dump());
    std::vector<Node> result;
    for (std::size_t i = 0; i < found.size(); ++i) {
      result.push_back({found[i], subject + "." + key + "[" + std::to_string(i) + "]"});
    }
    return result;
  }
};

/// A name that is safe as a file name.
std::string plain_name(const Node& node, const char* key) {
  const auto name = node.text(key);
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.';
  };
  if (name.front() == '.' || !std::ranges::all_of(name, allowed)) {
    throw Error::mismatch(ErrorCode::weights, node.subject + "." + key, "letters, digits, '-', '_' and '.'", name);
  }
  return name;
}

PublishedFile parse_file(const Node& node, FileRole role) {
  PublishedFile file;
  file.role = role;
  file.name = plain_name(node, "name");
  file.path = node.text("path");
  file.sha256 = node.text("sha256");
  const auto hexadecimal = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  if (file.sha256.size() != 64 || !std::ranges::all_of(file.sha256, hexadecimal)) {
    throw Error::mismatch(ErrorCode::weights, node.subject + ".sha256", "64 lower-case hexadecimal digits",
                          file.sha256);
  }
  const json& size = node.at("size_bytes");
  if (!size.is_number_integer() || size.get<std::int64_t>() <= 0) {
    throw Error::mismatch(ErrorCode::weights, node.subject + ".size_bytes", "a positive number", size.dump());
  }
  file.size_bytes = size.get<std::int64_t>();
  return file;
}

FileRole parse_role(const Node& node) {
  const auto role = node.text("role");
  if (role == "config") return FileRole::config;
  if (role == "licence") return FileRole::licence;
  throw Error::mismatch(ErrorCode::weights, node.subject + ".role", "config or licence", role);
}

RegistryEntry parse_publication(const Node& node) {
  RegistryEntry entry;
  entry.version = node.text("version");
  entry.description = node.text("description");
  entry.licence = node.text("licence");
  entry.citation = node.text("citation");
  entry.intended_use = node.text("intended_use");
  entry.classes = node.texts("classes");
  entry.sources = node.texts("sources");
  for (const auto& source : entry.sources) {
    if (!source.starts_with("https://") || !source.ends_with("/")) {
      throw Error::mismatch(ErrorCode::weights, node.subject + ".sources", "an address https://.../", source);
    }
  }
  entry.source_note = node.text("source_note");
  entry.mirror_folder = plain_name(node, "mirror_folder");
  entry.converter = plain_name(node, "converter");
  for (const auto& file : node.items("files")) entry.files.push_back(parse_file(file, parse_role(file)));
  return entry;
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < b.size(); ++j) {
      const auto change = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = std::exchange(row[j + 1], std::min({row[j + 1] + 1, row[j] + 1, change}));
    }
  }
  return row.back();
}

}  // namespace

std::int64_t RegistryEntry::size_bytes() const {
  return std::accumulate(files.begin(), files.end(), std::int64_t{0},
                         [](std::int64_t sum, const PublishedFile& file) { return sum + file.size_bytes; });
}

const PublishedFile& RegistryEntry::file(FileRole role) const {
  const auto found = std::ranges::find(files, role, &PublishedFile::role);
  if (found == files.end()) throw Error(ErrorCode::weights, name + ": its registry entry lacks a file it needs");
  return *found;
}

const RegistryEntry* Registry::find_or_null(std::string_view name) const noexcept {
  const auto found = std::ranges::find(entries, name, &RegistryEntry::name);
  return found == entries.end() ? nullptr : &*found;
}

const RegistryEntry& Registry::find(std::string_view name) const {
  if (const auto* entry = find_or_null(name)) return *entry;
  std::string nearest;
  std::size_t nearest_distance = std::max<std::size_t>(3, name.size() / 3) + 1;
  for (const auto& entry : entries) {
    const auto distance = edit_distance(name, entry.name);
    if (distance < nearest_distance) {
      nearest = entry.name;
      nearest_distance = distance;
    }
  }
  throw Error(ErrorCode::weights, "no bundle is called \"" + std::string(name) + "\"" +
                                      (nearest.empty() ? "" : "; did you mean \"" + nearest + "\"?") +
                                      " (`ichdet models list` names them all)");
}

std::vector<const RegistryEntry*> Registry::bundles_of(const RegistryEntry& entry) const {
  if (!entry.is_ensemble()) return {&entry};
  std::vector<const RegistryEntry*> bundles;
  for (const auto& member : entry.members) bundles.push_back(&find(member));
  return bundles;
}

std::int64_t Registry::size_bytes(const RegistryEntry& entry) const {
  std::map<std::string, std::int64_t> files;
  for (const auto* bundle : bundles_of(entry)) {
    for (const auto& file : bundle->files) files[file.sha256] = file.size_bytes;
  }
  return std::accumulate(files.begin(), files.end(), std::int64_t{0},
                         [](std::int64_t sum, const auto& file) { return sum + file.second; });
}

Registry parse_registry(std::string_view json_text, const std::string& subject) {
  json document;
  try {
    document = json::parse(json_text);
  } catch (const json::exception& e) {
    throw Error(ErrorCode::weights, subject + ": not JSON: " + e.what());
  }
  const Node root{document, subject};
  if (root.at("schema_version") != 1) {
    throw Error::mismatch(ErrorCode::weights, subject + ".schema_version", "1", root.at("schema_version").dump());
  }
  const Node publications = root.child("publications");

  Registry registry;
  const auto add = [&](const Node& node, RegistryEntry entry) {
    entry.name = plain_name(node, "name");
    entry.title = node.text("title");
    if (registry.find_or_null(entry.name) != nullptr) {
      throw Error::mismatch(ErrorCode::weights, node.subject + ".name", "a new name", entry.name + " again");
    }
    registry.entries.push_back(std::move(entry));
  };
  for (const auto& node : root.items("bundles")) {
    RegistryEntry entry = parse_publication(publications.child(node.text("publication").c_str()));
    entry.files.insert(entry.files.begin(), parse_file(node.child("weights"), FileRole::weights));
    entry.file(FileRole::licence);  // every bundle carries its own
    add(node, std::move(entry));
  }
  for (const auto& node : root.items("ensembles")) {
    const auto members = node.texts("members");
    if (members.empty()) throw Error(ErrorCode::weights, node.subject + ".members: expected at least one, found none");
    for (const auto& member : members) {
      const auto* bundle = registry.find_or_null(member);
      if (bundle == nullptr || bundle->is_ensemble()) {
        throw Error::mismatch(ErrorCode::weights, node.subject + ".members", "names of bundles", member);
      }
    }
    RegistryEntry entry = registry.find(members.front());
    entry.files.clear();
    entry.members = members;
    add(node, std::move(entry));
  }
  return registry;
}

Registry builtin_registry() { return parse_registry(embedded::registry, "the built-in registry"); }

}  // namespace ichdet
