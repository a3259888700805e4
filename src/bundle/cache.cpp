#include "ichdet/bundle/cache.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "ichdet/bundle/shipped.hpp"

namespace ichdet {
namespace {

namespace fs = std::filesystem;

fs::path from_environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? fs::path(value) : fs::path();
}

const RegistryEntry* known(const std::string& name_or_path, const Registry& registry) {
  // Something with a slash or a suffix is meant as a path: the error about it should not speak of names.
  const fs::path path(name_or_path);
  if (path.has_parent_path() || path.extension() == ".json") {
    throw Error(ErrorCode::weights,
                name_or_path + ": expected a bundle (a folder with bundle.json), found nothing there");
  }
  return &registry.find(name_or_path);
}

fs::path in_cache(const RegistryEntry& entry, const std::string& asked_for, const fs::path& cache) {
  if (!is_cached(cache, entry.name)) {
    throw Error(ErrorCode::weights, entry.name + ": not downloaded yet; run `ichdet models get " + asked_for +
                                        "` (looked in " + cached_bundle_folder(cache, entry.name).string() + ")");
  }
  return cached_bundle_folder(cache, entry.name);
}

}  // namespace

fs::path default_cache_folder() {
  if (const auto chosen = from_environment("ICHDET_CACHE"); !chosen.empty()) return chosen;
  if (const auto chosen = from_environment("XDG_CACHE_HOME"); !chosen.empty()) return chosen / "ichdet";
  if (const auto home = from_environment("HOME"); !home.empty()) return home / ".cache" / "ichdet";
  throw Error(ErrorCode::io,
              "the cache folder: expected $ICHDET_CACHE, $XDG_CACHE_HOME or $HOME, found none of them set");
}

fs::path cached_bundle_folder(const fs::path& cache, const std::string& name) { return cache / "bundles" / name; }

bool is_cached(const fs::path& cache, const std::string& name) {
  return fs::exists(cached_bundle_folder(cache, name) / "bundle.json");
}

fs::path resolve_bundle(const std::string& name_or_path, const Registry& registry, const fs::path& cache) {
  const auto bundles = resolve_bundles(name_or_path, registry, cache);
  if (bundles.size() != 1) {
    throw Error(ErrorCode::options,
                name_or_path + ": expected one bundle, found an ensemble of " + std::to_string(bundles.size()));
  }
  return bundles.front();
}

fs::path resolve_bundle(const std::string& name_or_path) {
  return resolve_bundle(name_or_path, builtin_registry(), default_cache_folder());
}

std::vector<fs::path> resolve_bundles(const std::string& name_or_path, const Registry& registry,
                                      const fs::path& cache) {
  if (registry.find_or_null(name_or_path) == nullptr) {
    if (const auto shipped = find_shipped(name_or_path)) {
      if (fs::exists(*shipped / "bundle.json")) return {*shipped};
      throw Error(ErrorCode::options,
                  name_or_path + ": expected a bundle, found an ensemble, which `ichdet detect` takes");
    }
    if (fs::exists(name_or_path)) return {name_or_path};
  }
  std::vector<fs::path> folders;
  for (const auto* bundle : registry.bundles_of(*known(name_or_path, registry))) {
    folders.push_back(in_cache(*bundle, name_or_path, cache));
  }
  return folders;
}

std::vector<fs::path> resolve_bundles(const std::string& name_or_path) {
  return resolve_bundles(name_or_path, builtin_registry(), default_cache_folder());
}

CacheLock::CacheLock(const fs::path& cache, const Progress& progress) {
  std::error_code failure;
  fs::create_directories(cache, failure);
  const auto file = cache / "lock";
  descriptor_ = failure ? -1 : ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (descriptor_ < 0) {
    throw Error(ErrorCode::io, cache.string() + ": the cache folder cannot be written: " +
                                   (failure ? failure.message() : std::strerror(errno)));
  }
  try {
    while (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK && errno != EINTR) {
        throw Error(ErrorCode::io, file.string() + ": cannot be locked: " + std::strerror(errno));
      }
      progress("waiting for another ichdet that writes to the cache", 0);
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
  } catch (...) {
    ::close(descriptor_);
    throw;
  }
}

CacheLock::~CacheLock() { ::close(descriptor_); }

}  // namespace ichdet
