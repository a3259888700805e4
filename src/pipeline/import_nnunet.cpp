#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "ichdet/core/error.hpp"
#include "ichdet/nn/checkpoint.hpp"
#include "ichdet/pipeline/import.hpp"
#include "import_classes.hpp"
#include "json_reader.hpp"
#include "nnunet_plan.hpp"
#include "read_json.hpp"

namespace ichdet {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using pipeline::JsonReader;

/// Trainers of nnU-Net 2 that build the plan's network.
bool builds_plan(const std::string& trainer) {
  static const std::set<std::string> known = {
      "nnUNetTrainer",       "nnUNetTrainerNoMirroring", "nnUNetTrainer_onlyMirror01",      "nnUNetTrainerDA5",
      "nnUNetTrainerNoDA",   "nnUNetTrainerCELoss",      "nnUNetTrainerDiceLoss",           "nnUNetTrainerTopk10Loss",
      "nnUNetTrainerDAOrd0", "nnUNetTrainerAdam",        "nnUNetTrainerDiceCELoss_noSmooth"};
  if (known.contains(trainer)) return true;
  const std::string prefix = "nnUNetTrainer_";
  if (!trainer.starts_with(prefix)) return false;
  const auto digits = trainer.find_first_not_of("0123456789", prefix.size());
  return digits != prefix.size() && (trainer.substr(digits) == "epochs" || trainer.substr(digits) == "epoch");
}

std::vector<std::string> folds_of(const fs::path& folder, const NnunetImportOptions& options) {
  if (!options.folds.empty()) return options.folds;
  std::vector<std::string> found;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const auto name = entry.path().filename().string();
    if (name.starts_with("fold_") && name != "fold_all" && fs::exists(entry.path() / options.checkpoint)) {
      found.push_back(name.substr(5));
    }
  }
  if (found.empty()) {
    throw Error(ErrorCode::io, folder.string() + ": no fold_N/" + options.checkpoint + " in it" +
                                   (fs::exists(folder / "fold_all") ? "; fold_all is taken with --fold all" : ""));
  }
  std::ranges::sort(found);
  return found;
}

/// Label names in the order of their values, 0 first.
std::vector<std::string> labels_of(const json& dataset, const std::string& file) {
  const JsonReader root(dataset, file);
  std::map<std::int64_t, std::string> by_value;
  for (const auto& [name, value] : root.at("labels").object()) {
    if (name == "ignore") continue;
    const auto node = root.at("labels").at(name);
    if (value.is_array()) {
      throw Error(ErrorCode::weights, node.where() + ": a region (" + value.dump() +
                                          "): networks that were trained on regions overlap, and are not read");
    }
    by_value[node.integer()] = name;
  }
  std::vector<std::string> names;
  for (const auto& [value, name] : by_value) {
    if (value != std::int64_t(names.size())) {
      throw Error::mismatch(ErrorCode::weights, file + ": /labels", "values from 0 on without a gap",
                            std::to_string(value) + " after " + std::to_string(names.size()) + " labels");
    }
    names.push_back(name);
  }
  if (names.size() < 2) throw Error(ErrorCode::weights, file + ": /labels: expected background and another label");
  return names;
}

/// What the checkpoint itself says has to be what the plan can be read for.
void check_trainer(const Checkpoint& checkpoint, const std::string& file, const NnunetImportOptions& options) {
  const auto trainer = JsonReader(checkpoint.values, file).at("trainer_name").text();
  if (builds_plan(trainer) || trainer == options.trainer) return;
  throw Error(ErrorCode::weights, file + ": trained by " + trainer +
                                      ", which is not known: it may build another network than its plan says. If it " +
                                      "does not, say so with --trainer " + trainer);
}

}  // namespace

std::vector<fs::path> import_nnunet(const fs::path& folder, const fs::path& out, const NnunetImportOptions& options) {
  const auto plans_file = folder / "plans.json", dataset_file = folder / "dataset.json";
  const auto plans = pipeline::read_json(plans_file), dataset = pipeline::read_json(dataset_file);
  const auto labels = labels_of(dataset, dataset_file.string());
  const auto classes = pipeline::classes_of(labels, options.blood);
  pipeline::check_one_channel(dataset, dataset_file.string());
  const auto folds = folds_of(folder, options);
  std::vector<fs::path> bundles;
  for (const auto& fold : folds) {
    const auto file = folder / ("fold_" + fold) / options.checkpoint;
    if (!fs::exists(file)) throw Error(ErrorCode::io, file.string() + ": is not there");
    const auto checkpoint = read_checkpoint(file, "network_weights");
    check_trainer(checkpoint, file.string(), options);
    const JsonReader said(checkpoint.values, file.string());
    const auto configuration = said.at("init_args").at("configuration").text();
    Recipe recipe;
    recipe.name = JsonReader(plans, plans_file.string()).at("dataset_name").text() + "-" + configuration;
    recipe.citation = "Isensee et al., nnU-Net, Nature Methods 18 (2021)";
    recipe.model = pipeline::bundle_of_plan(plans, configuration, plans_file.string(),
                                            said.find("inference_allowed_mirroring_axes"), labels.size());
    recipe.model["classes"] = classes;
    recipe.model["input"]["orientation"] = options.orientation;
    auto bundle = options.bundle;
    if (bundle.name.empty()) bundle.name = recipe.name + (folds.size() > 1 ? "-fold-" + fold : "");
    bundles.push_back(folds.size() > 1 ? out / ("fold_" + fold) : out);
    fs::create_directories(bundles.back().parent_path().empty() ? "." : bundles.back().parent_path());
    make_bundle(recipe, checkpoint.weights, {file, plans_file, dataset_file}, bundles.back(), bundle);
  }
  return bundles;
}

}  // namespace ichdet
