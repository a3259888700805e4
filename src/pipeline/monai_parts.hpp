#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "json_reader.hpp"

// Parts of a MONAI bundle's configuration as a bundle.json says them. All throw Error(weights) that names the file, the
// id and what it holds, for what is not understood.
namespace ichdet::pipeline {

/// `architecture` of network_def.
nlohmann::json architecture_of_monai(const JsonReader& network);

/// `input` of preprocessing, and whether it crops to the foreground.
struct MonaiInput {
  nlohmann::json input;
  bool crops_foreground = false;
};
MonaiInput input_of_monai(const JsonReader& preprocessing);

/// `patch` of inferer.
nlohmann::json patch_of_monai(const JsonReader& inferer);

/// Throws unless postprocessing is softmax, argmax, inversion and saving.
void check_postprocessing(const JsonReader& postprocessing);

}  // namespace ichdet::pipeline
