#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "ichdet/bundle/download.hpp"
#include "ichdet/bundle/registry.hpp"
#include "ichdet/core/progress.hpp"

namespace ichdet {

struct FetchOptions {
  std::filesystem::path cache;  ///< empty: default_cache_folder()
  /// A folder or an http(s) address that holds `<mirror_folder>/<file>`, used instead of the published sources.
  std::string mirror;
  /// Python that has torch, for published weights that are pickles. Empty: the one ichdet was built with, else python3
  /// on PATH.
  std::string python;
  bool force = false;  ///< make the bundle again even if the cache holds it
  DownloadOptions download;

  /// With `mirror` from $ICHDET_MODEL_MIRROR and `python` from $ICHDET_PYTHON.
  static FetchOptions from_environment();
};

/// Makes sure that the cache holds a bundle: downloads its published files, checks their hashes, converts them, and
/// renames the result into place. Safe with several processes at once. Returns the bundle's folder.
///
/// Throws Error(weights) where a file is not to be had, has another hash, or cannot be converted (no Python with torch,
/// say); Error(options) for an ensemble (fetch its members).
std::filesystem::path fetch_bundle(const RegistryEntry& entry, const FetchOptions& options,
                                   const Progress& progress = {});

/// One file of a bundle folder that is not as it was when the bundle was made.
struct BundleFault {
  std::string file, expected, found;  ///< hashes; `found` is "missing" where the file is
};

/// Compares every file of a bundle folder with the SHA256SUMS in it (the format of `sha256sum`). Empty: all is well.
/// Throws Error(weights) where there is no SHA256SUMS or a line of it cannot be read.
std::vector<BundleFault> verify_bundle(const std::filesystem::path& folder, const Progress& progress = {});

}  // namespace ichdet
