#pragma once

#include <filesystem>
#include <string>

#include "ichdet/bundle/registry.hpp"
#include "ichdet/core/progress.hpp"

namespace ichdet {

/// Where bundles are kept: $ICHDET_CACHE, else $XDG_CACHE_HOME/ichdet, else ~/.cache/ichdet.
/// Throws Error(io) where none of them is set.
std::filesystem::path default_cache_folder();

/// The folder of a bundle in the cache, whether it is there or not.
std::filesystem::path cached_bundle_folder(const std::filesystem::path& cache, const std::string& name);

/// Whether the cache holds this bundle; says nothing about its hashes (see verify_bundle).
bool is_cached(const std::filesystem::path& cache, const std::string& name);

/// The bundle that a user means: the name of a shipped one or of one in the cache, else a folder or file that exists.
/// Throws Error(weights) that says how to get it where it is not there, or which names are near.
std::filesystem::path resolve_bundle(const std::string& name_or_path, const Registry& registry,
                                     const std::filesystem::path& cache);
/// With the built-in registry and the default cache.
std::filesystem::path resolve_bundle(const std::string& name_or_path);

/// As resolve_bundle, and for the name of an ensemble its members in order.
std::vector<std::filesystem::path> resolve_bundles(const std::string& name_or_path, const Registry& registry,
                                                   const std::filesystem::path& cache);
std::vector<std::filesystem::path> resolve_bundles(const std::string& name_or_path);

/// Holds the cache for one writer at a time, among threads and processes; released when the process dies, however it
/// does. Waits for its turn, with a report and a look at the stop request ten times a second.
class CacheLock {
 public:
  explicit CacheLock(const std::filesystem::path& cache, const Progress& progress = {});
  ~CacheLock();
  CacheLock(const CacheLock&) = delete;
  CacheLock& operator=(const CacheLock&) = delete;

 private:
  int descriptor_ = -1;
};

}  // namespace ichdet
