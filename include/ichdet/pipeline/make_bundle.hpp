#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "ichdet/bundle/recipe.hpp"
#include "ichdet/bundle/safetensors.hpp"
#include "ichdet/core/results.hpp"

namespace ichdet {
struct StateDict;
}

namespace ichdet {

struct BundleOptions {
  std::string name;  ///< empty: the recipe's, for untrained weights with "untrained-" before it
  std::string version = "1";
  std::string licence;                 ///< SPDX expression of the weights' licence; empty: not stated
  std::filesystem::path licence_file;  ///< its text; empty: one sentence that says what is known
  std::string training_data;           ///< in words
  nlohmann::json metrics = nlohmann::json::object();
  std::optional<BundleIdentity> parent;  ///< what its training began with
  std::string split_sha256;              ///< of the file that says which patients it was trained on; may be empty
  DType dtype = DType::f32;              ///< of stored weights: f32, bf16 or f16 (save_state_dict)
};

/// Makes a bundle of a recipe and weights, a .safetensors file or a state dict of torch.save, after loading them into
/// the recipe's architecture. The bundle's weights are named as the architecture's.
///
/// Throws Error(weights) where they do not fit, Error(io) where `folder` exists and is not empty, or cannot be written.
void make_bundle(const Recipe& recipe, const std::filesystem::path& weights, const std::filesystem::path& folder,
                 const BundleOptions& options = {});

/// The same of weights that were read already, and of the files that they and the recipe come from. As published
/// weights do, they may have second names (models::load_weights).
void make_bundle(const Recipe& recipe, const StateDict& weights, const std::vector<std::filesystem::path>& files,
                 const std::filesystem::path& folder, const BundleOptions& options = {});

/// The same of random weights, for trying out and timing a pipeline: every result of it is marked as not to be trusted.
///
/// Kaiming's normal initialisation from `seed`; batch norm's statistics are those of six slices of the phantom, and the
/// last layer is scaled so that their logits spread by one: so the outputs depend on the input as a trained network's
/// do. The same seed gives the same bundle on one machine.
void make_untrained_bundle(const Recipe& recipe, std::uint64_t seed, const std::filesystem::path& folder,
                           const BundleOptions& options = {});

}  // namespace ichdet
