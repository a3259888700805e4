#include <nlohmann/json.hpp>

#include "ichdet/core/error.hpp"
#include "ichdet/nn/state_dict.hpp"
#include "ichdet/pipeline/import.hpp"
#include "import_classes.hpp"
#include "monai_config.hpp"
#include "monai_parts.hpp"
#include "read_json.hpp"

namespace ichdet {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using pipeline::JsonReader;

fs::path config_of(const fs::path& folder, const MonaiImportOptions& options) {
  const auto configs = folder / "configs";
  if (!options.config.empty()) return configs / options.config;
  for (const auto* name : {"inference.json", "inference.yaml", "inference.yml"}) {
    if (fs::exists(configs / name)) return configs / name;
  }
  throw Error(ErrorCode::io, configs.string() + ": no inference.json, inference.yaml or inference.yml in it");
}

/// Names of the prediction's channels, 0 first.
std::vector<std::string> classes_of_metadata(const json& metadata, const std::string& file) {
  const auto channels = JsonReader(metadata, file).at("network_data_format").at("outputs").at("pred").at("channel_def");
  const auto count = channels.object().size();
  std::vector<std::string> names;
  for (std::size_t i = 0; i < count; ++i) names.push_back(channels.at(std::to_string(i)).text());
  channels.expect(count >= 2, "background and another class");
  return names;
}

}  // namespace

void import_monai(const fs::path& folder, const fs::path& bundle, const MonaiImportOptions& options) {
  const auto metadata_file = folder / "configs" / "metadata.json", weights_file = folder / options.weights;
  const auto config_file = config_of(folder, options);
  const auto metadata = pipeline::read_json(metadata_file);
  const pipeline::MonaiConfig config(config_file, options.stated);
  // What a reader reads has to outlive it.
  const auto network = config.resolved("network_def"), preprocessing = config.resolved("preprocessing"),
             inferer = config.resolved("inferer");
  const auto names = classes_of_metadata(metadata, metadata_file.string());
  const auto input = pipeline::input_of_monai(JsonReader(preprocessing, config.file(), "preprocessing"));
  if (config.has("postprocessing")) {
    const auto postprocessing = config.resolved("postprocessing");
    pipeline::check_postprocessing(JsonReader(postprocessing, config.file(), "postprocessing"));
  }
  Recipe recipe;
  recipe.name = metadata.value("name", json()).is_string()
                    ? metadata.at("name").get<std::string>()
                    : fs::absolute(folder / ".").parent_path().filename().string();
  recipe.citation =
      metadata.value("description", json()).is_string() ? metadata.at("description").get<std::string>() : "not stated";
  recipe.model = {{"task", "segmentation"},
                  {"architecture", pipeline::architecture_of_monai(JsonReader(network, config.file(), "network_def"))},
                  {"input", input.input},
                  {"classes", pipeline::classes_of(names, options.blood)},
                  {"patch", pipeline::patch_of_monai(JsonReader(inferer, config.file(), "inferer"))},
                  {"procedure",
                   {{"crop", input.crops_foreground ? "foreground" : "none"},
                    {"merge", "logits"},
                    {"inversion", "probabilities"}}}};
  make_bundle(recipe, read_state_dict(weights_file), {weights_file, config_file, metadata_file}, bundle,
              options.bundle);
}

}  // namespace ichdet
