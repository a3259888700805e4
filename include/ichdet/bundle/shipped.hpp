#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace ichdet {

/// Where the bundles lie that come with ichdet: $ICHDET_BUNDLES, else the first that there is of `bundles` beside the
/// library (a Python package's), share/ichdet/bundles of the installation that the library belongs to, and `bundles` of
/// the source tree that it was built from. Nothing where none of them is there.
std::optional<std::filesystem::path> shipped_bundles();

/// A shipped bundle's folder, or an ensemble's (`ensemble.yaml` beside its members' folders), by name.
std::optional<std::filesystem::path> find_shipped(const std::string& name);

/// Names of all, sorted.
std::vector<std::string> shipped_names();

/// What there is to tell of a shipped bundle, or of a shipped ensemble.
struct ShippedModel {
  std::string name, version, title, licence;  ///< of an ensemble the members', joined
  std::vector<std::string> members;           ///< of an ensemble
  std::filesystem::path folder;
  std::vector<std::filesystem::path> bundles;  ///< its own folder, or the members'
};

/// Throws Error(weights) where none of this name came with ichdet, and as read_ensemble and open_bundle do.
ShippedModel shipped_model(const std::string& name);
/// All, by name.
std::vector<ShippedModel> shipped_models();

/// The ensemble's file that a user means: the name of a shipped one, a YAML file, or a folder with `ensemble.yaml`.
std::optional<std::filesystem::path> find_ensemble(const std::string& name_or_path);

}  // namespace ichdet
