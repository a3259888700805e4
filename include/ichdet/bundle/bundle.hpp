#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "ichdet/bundle/safetensors.hpp"
#include "ichdet/bundle/spec.hpp"
#include "ichdet/core/results.hpp"

namespace ichdet {

/// One network's weights and everything needed to use them right: a folder with `bundle.json`, the weights it names
/// and the licence file it names. An ensemble is several bundles.
struct Bundle {
  std::filesystem::path folder;
  ModelSpec spec;
  std::string sha256;  ///< of bundle.json, which holds the hash of the weights: it stands for the whole bundle
  SafeTensors weights;

  BundleIdentity identity() const { return {spec.name, spec.version, sha256}; }
};

/// Opens a folder, checks bundle.json against its schema and the weights against their SHA-256.
///
/// Throws Error(weights) naming the file, what was expected and what was found; a file that is missing, too.
Bundle open_bundle(const std::filesystem::path& folder);
std::vector<Bundle> open_bundles(const std::vector<std::filesystem::path>& folders);

}  // namespace ichdet
