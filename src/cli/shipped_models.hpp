#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "commands.hpp"

namespace ichdet::cli {

/// What there is to tell of a bundle, or an ensemble of them, that came with ichdet.
struct ShippedModel {
  std::string name, version, title, licence;
  std::vector<std::string> members;  ///< of an ensemble
  std::filesystem::path folder;
  std::vector<std::filesystem::path> bundles;  ///< its own folder, or the members'
};

/// Throws as read_ensemble and open_bundle do.
ShippedModel shipped_model(const std::string& name);
std::vector<ShippedModel> shipped_models();

/// `ichdet models show NAME`.
void show_shipped(const std::string& name, const Context& context);

}  // namespace ichdet::cli
