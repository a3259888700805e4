#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ichdet/core/error.hpp"

namespace ichdet {

/// What a published file is for.
enum class FileRole { weights, config, licence };

/// One file as its authors published it.
struct PublishedFile {
  FileRole role = FileRole::weights;
  std::string name;    ///< file name, also in a mirror
  std::string path;    ///< below each of the sources
  std::string sha256;  ///< 64 lower-case hexadecimal digits
  std::int64_t size_bytes = 0;
};

/// A bundle that `ichdet models get` can make, or an ensemble of such bundles.
struct RegistryEntry {
  std::string name, version, title, description, licence, citation, intended_use;
  std::vector<std::string> classes;
  std::vector<std::string> sources;  ///< https addresses under which the files lie, tried in order
  std::string source_note;           ///< what is known about the addresses
  std::string mirror_folder;         ///< the files' folder in a mirror
  std::string converter;             ///< name of the script that makes a bundle of the files
  std::vector<PublishedFile> files;  ///< empty for an ensemble
  std::vector<std::string> members;  ///< names of bundles; empty for a single one

  bool is_ensemble() const noexcept { return !members.empty(); }
  std::int64_t size_bytes() const;
  /// The file with this role. Throws Error(weights) where there is none.
  const PublishedFile& file(FileRole role) const;
};

/// The bundles and published weights that ichdet knows by name (bundles/registry.json).
struct Registry {
  std::vector<RegistryEntry> entries;

  /// Throws Error(weights) with the nearest names where `name` is not there.
  const RegistryEntry& find(std::string_view name) const;
  /// nullptr where `name` is not there.
  const RegistryEntry* find_or_null(std::string_view name) const noexcept;
  /// The bundles that `entry` stands for: itself, or an ensemble's members.
  std::vector<const RegistryEntry*> bundles_of(const RegistryEntry& entry) const;
  /// Bytes to download for `entry`, an ensemble's members included.
  std::int64_t size_bytes(const RegistryEntry& entry) const;
};

/// Reads and validates a registry. Throws Error(weights) that names `subject`, the entry and the field.
Registry parse_registry(std::string_view json_text, const std::string& subject);

/// The registry that ichdet was built with.
Registry builtin_registry();

}  // namespace ichdet
