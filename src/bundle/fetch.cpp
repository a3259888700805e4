#include "ichdet/bundle/fetch.hpp"

#include <algorithm>
#include <cstdlib>
#include <fstream>

#include "ichdet/bundle/cache.hpp"
#include "ichdet/bundle/script.hpp"
#include "ichdet/bundle/sha256.hpp"
#include "ichdet/bundle/staging.hpp"

namespace ichdet {
namespace {

namespace fs = std::filesystem;

constexpr const char* sums_name = "SHA256SUMS";

constexpr const char* staging_prefix = "staging-";

/// What a killed process left behind, where the cache's lock is held.
void remove_old_staging(const fs::path& cache) {
  for (const auto& item : fs::directory_iterator(cache)) {
    if (item.path().filename().string().starts_with(staging_prefix)) fs::remove_all(item.path());
  }
}

bool is_address(const std::string& mirror) { return mirror.starts_with("http://") || mirror.starts_with("https://"); }

/// Copies from a folder that serves as a mirror, under the same promises as download().
void copy_checked(const fs::path& from, const fs::path& target, const PublishedFile& file, const Progress& progress) {
  if (!fs::exists(from)) {
    throw Error(ErrorCode::weights, from.string() + ": no such file in the mirror (ICHDET_MODEL_MIRROR)");
  }
  const auto found = sha256_of_file(from, progress);
  if (found != file.sha256) throw Error::mismatch(ErrorCode::weights, from.string() + ": SHA-256", file.sha256, found);
  fs::path part = target;
  part += ".part";
  fs::copy_file(from, part, fs::copy_options::overwrite_existing);
  fs::rename(part, target);
}

/// One published file in `folder`, from the mirror or else the published sources.
fs::path obtain(const RegistryEntry& entry, const PublishedFile& file, const fs::path& folder,
                const FetchOptions& options, const Progress& progress) {
  const auto target = folder / file.name;
  if (fs::exists(target) && sha256_of_file(target, progress) == file.sha256) return target;
  const ExpectedFile expected{file.sha256, file.size_bytes};

  if (!options.mirror.empty() && !is_address(options.mirror)) {
    copy_checked(fs::path(options.mirror) / entry.mirror_folder / file.name, target, file, progress);
    return target;
  }
  if (!options.mirror.empty()) {
    auto chosen = options.download;
    chosen.allow_http = true;
    const std::string slash = options.mirror.ends_with("/") ? "" : "/";
    download(options.mirror + slash + entry.mirror_folder + "/" + file.name, target, expected, chosen, progress);
    return target;
  }
  std::string reasons;
  for (const auto& source : entry.sources) {
    try {
      download(source + file.path, target, expected, options.download, progress);
      return target;
    } catch (const Error& e) {
      if (e.code() != ErrorCode::weights) throw;
      reasons += (reasons.empty() ? "" : "; ") + std::string(e.what());
    }
  }
  throw Error(ErrorCode::weights,
              entry.name + ": " + file.name + " could not be had: " + reasons +
                  ". Without internet, set ICHDET_MODEL_MIRROR to a folder or an address that has " +
                  entry.mirror_folder + "/" + file.name);
}

void write_sums(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& item : fs::directory_iterator(folder)) names.push_back(item.path().filename().string());
  std::ranges::sort(names);
  std::ofstream sums(folder / sums_name, std::ios::binary);
  for (const auto& name : names) sums << sha256_of_file(folder / name) << "  " << name << "\n";
  if (!sums.flush()) throw Error(ErrorCode::io, (folder / sums_name).string() + ": cannot be written");
}

/// Runs the entry's converter. Returns the bundle, made in `staging`.
fs::path convert(const RegistryEntry& entry, const fs::path& files, const fs::path& staging,
                 const std::string& asked_for, const Progress& progress) {
  const auto path_of = [&](FileRole role) { return (files / entry.file(role).name).string(); };
  const auto made = staging / "out" / entry.name;
  run_script(
      {entry.converter,
       {path_of(FileRole::weights), "--config", path_of(FileRole::config), "--licence", path_of(FileRole::licence),
        "--out", made.parent_path().string(), "--name", entry.name},
       entry.name + ": the published weights are a PyTorch pickle, and a Python with torch is needed once to convert "
                    "them",
       "converting " + entry.name,
       asked_for},
      staging, made / "bundle.json", progress);
  write_sums(made);
  return made;
}

}  // namespace

FetchOptions FetchOptions::from_environment() {
  FetchOptions options;
  if (const char* mirror = std::getenv("ICHDET_MODEL_MIRROR")) options.mirror = mirror;
  if (const char* python = std::getenv("ICHDET_PYTHON")) options.python = python;
  return options;
}

fs::path fetch_bundle(const RegistryEntry& entry, const FetchOptions& options, const Progress& progress) try {
  if (entry.is_ensemble()) {
    throw Error(ErrorCode::options, entry.name + ": expected a bundle, found an ensemble; fetch its members");
  }
  const auto cache = options.cache.empty() ? default_cache_folder() : options.cache;
  const auto target = cached_bundle_folder(cache, entry.name);
  const CacheLock lock(cache, progress);
  if (!options.force && is_cached(cache, entry.name)) return target;

  const auto downloads = cache / "downloads" / entry.mirror_folder;
  fs::create_directories(downloads);
  fs::create_directories(target.parent_path());
  for (const auto& file : entry.files) obtain(entry, file, downloads, options, progress);

  remove_old_staging(cache);
  const Staging staging(cache, staging_prefix, "the cache folder");
  const auto made = convert(entry, downloads, staging.folder(), options.python, progress);
  if (fs::exists(target)) fs::rename(target, staging.folder() / "replaced");
  fs::rename(made, target);
  fs::remove(downloads / entry.file(FileRole::weights).name);
  return target;
} catch (const fs::filesystem_error& e) {
  const bool full = e.code() == std::errc::no_space_on_device;
  throw Error(full ? ErrorCode::limit : ErrorCode::io, std::string("the cache: ") + e.what());
}

std::vector<BundleFault> verify_bundle(const fs::path& folder, const Progress& progress) {
  const auto sums = folder / sums_name;
  std::ifstream stream(sums);
  if (!stream)
    throw Error(ErrorCode::weights, sums.string() + ": expected the hashes of the bundle's files, found no such file");
  std::vector<BundleFault> faults;
  for (std::string line; std::getline(stream, line);) {
    const auto name = line.size() > 66 ? line.substr(66) : std::string();
    if (name.empty() || name.find('/') != std::string::npos || line.substr(64, 2) != "  ") {
      throw Error::mismatch(ErrorCode::weights, sums.string(), "lines of a hash, two spaces and a file name", line);
    }
    const auto found = fs::exists(folder / name) ? sha256_of_file(folder / name, progress) : "missing";
    if (found != line.substr(0, 64)) faults.push_back({name, line.substr(0, 64), found});
  }
  return faults;
}

}  // namespace ichdet
