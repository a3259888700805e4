#pragma once

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "ichdet/pipeline/make_bundle.hpp"

// Bundles of what other programs trained: docs/import.md.
namespace ichdet {

/// Makes a bundle of MindGrab as brainchop-models keeps it: a folder with model.json (the layers) and model.pth (their
/// weights). Throws Error(weights) where the two are not MindGrab's, naming the file, what was expected and what was
/// found, Error(io) where one is missing or `bundle` exists and is not empty.
void import_mindgrab(const std::filesystem::path& folder, const std::filesystem::path& bundle,
                     const BundleOptions& options = {});

struct NnunetImportOptions {
  std::vector<std::string> blood;  ///< which labels are hemorrhage; nnU-Net does not say
  std::vector<std::string> folds;  ///< "0", "1", ... or "all"; empty: those that are there, but "all"
  std::string checkpoint = "checkpoint_final.pth";
  std::string orientation = "LPS";  ///< where x, y, z of the training images ran to; nnU-Net does not say
  std::string trainer;              ///< a trainer that is not known, and is known to build the plan's network
  BundleOptions bundle;
};

/// Makes bundles of a trained nnU-Net v2 (a folder with plans.json, dataset.json, fold_N/checkpoint_final.pth): one
/// in `out`, or with several folds one for each, `out`/fold_N. Reads plans of before and after version 2.4.2. What the
/// bundle repeats of nnU-Net, and what it does not, docs/import.md says.
///
/// Returns the bundles' folders. Throws Error(weights) naming the file, the key, what was expected and what was found:
/// for cascades, 2D configurations, regions, more than one input channel, normalisation other than nnU-Net's for CT or
/// none, a transposition that is not (z, y, x) or (x, y, z), an architecture or a trainer that is not known;
/// Error(options) where `blood` is empty or names no label; Error(io) for missing files.
std::vector<std::filesystem::path> import_nnunet(const std::filesystem::path& folder, const std::filesystem::path& out,
                                                 const NnunetImportOptions& options);

struct MonaiImportOptions {
  std::vector<std::string> blood;  ///< which classes are hemorrhage; MONAI does not say
  std::string config;  ///< in configs/; empty: inference.json, inference.yaml or inference.yml, the one that is there
  std::string weights = "models/model.pt";
  /// Key -> value, as JSON: taken in place of what the configuration holds there, such as {"network_def#act", "relu"}.
  std::map<std::string, nlohmann::json> stated;
  BundleOptions bundle;
};

/// Makes a bundle of a MONAI bundle: network_def (DynUNet, or UNet in three dimensions), preprocessing and inferer of
/// its inference configuration, classes of metadata.json, weights of models/model.pt. References (`@key`, `%key`) are
/// followed. Expressions (`$...`) are Python, and are not evaluated, but for those that only refer.
///
/// Throws Error(weights) naming the file, the key and what it holds, for whatever is not understood; Error(options)
/// where `blood` is empty or names no class; Error(io) for missing files.
void import_monai(const std::filesystem::path& folder, const std::filesystem::path& bundle,
                  const MonaiImportOptions& options);

}  // namespace ichdet
