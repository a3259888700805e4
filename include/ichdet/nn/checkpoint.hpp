#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "ichdet/nn/state_dict.hpp"

namespace ichdet {

/// What a training script saves: weights among other things.
struct Checkpoint {
  StateDict weights;
  nlohmann::json values = nlohmann::json::object();  ///< the rest: numbers, text, lists and dicts of them; else null
};

/// Reads a dict that torch.save wrote, the weights under `weights_key`. As with read_state_dict nothing in the file is
/// executed, but objects that are not known are skipped. Throws as read_state_dict does.
Checkpoint read_checkpoint(const std::filesystem::path& file, const std::string& weights_key);

}  // namespace ichdet
