#include "ichdet/train/finetune.hpp"

#include <algorithm>
#include <iterator>
#include <set>

#include "../pipeline/read_json.hpp"
#include "../pipeline/write_text.hpp"
#include "blood_labels.hpp"
#include "ichdet/bundle/bundle.hpp"
#include "ichdet/core/error.hpp"
#include "ichdet/report/figures.hpp"
#include "ichdet/train/examples.hpp"
#include "ichdet/train/judge.hpp"
#include "ichdet/train/prepared.hpp"
#include "ichdet/train/split.hpp"
#include "ichdet/train/training_spec.hpp"

namespace ichdet::train {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* select = "select";  ///< what the studies are called that the best weights are chosen on

std::vector<StudyEntry> in_split(const Dataset& dataset, const std::string& split) {
  std::vector<StudyEntry> found;
  std::ranges::copy_if(dataset.studies, std::back_inserter(found),
                       [&](const StudyEntry& entry) { return entry.split == split; });
  return found;
}

void add(Dataset& to, std::vector<StudyEntry> entries, const char* split, const std::string& group) {
  for (auto& entry : entries) {
    entry.split = split;
    entry.group = group;
    to.studies.push_back(std::move(entry));
  }
}

/// Every fifth of the corrected patients is kept apart, at least one.
std::vector<SplitPart> selection_parts() { return {{"train", 0.8}, {select, 0.2}}; }

/// Patients of some studies. A study whose patient is not known is one of its own, by its study's name.
class Patients {
 public:
  explicit Patients(const std::vector<StudyEntry>& entries) {
    for (const auto& entry : entries) {
      patients_.insert(entry.patient);
      studies_.insert(entry.study);
      if (unnamed(entry)) unnamed_.insert(entry.study);
    }
  }
  bool contain(const StudyEntry& entry) const {
    return (!entry.patient.empty() && patients_.contains(entry.patient)) || unnamed_.contains(entry.study) ||
           (unnamed(entry) && studies_.contains(entry.study));
  }

 private:
  static bool unnamed(const StudyEntry& entry) { return entry.patient.empty() || entry.patient == entry.study; }
  std::set<std::string> patients_, studies_, unnamed_;
};

void refuse_leak(const std::vector<StudyEntry>& learned, const std::vector<StudyEntry>& apart,
                 const std::string& what) {
  const Patients patients(apart);
  for (const auto& entry : learned) {
    if (!patients.contain(entry)) continue;
    throw Error(ErrorCode::options, entry.source + ": patient " +
                                        (entry.patient.empty() ? entry.study : entry.patient) + " is in " + what +
                                        " too, and would be learned from");
  }
}

/// Who is learned from, and on whom the best weights are chosen; the latter in words.
struct Material {
  Dataset data;
  std::string selection;
};

/// What is learned from again: of corrected patients the corrections alone, not the masks that were corrected.
std::vector<StudyEntry> replayed(const FineTuneData& from, const std::vector<std::string>& names,
                                 const Dataset& corrections, const FineTuneOptions& options) {
  if (from.replay.empty()) return {};
  auto entries = in_split(read_manifest(from.replay, names), options.replay_split);
  if (entries.empty()) {
    throw Error::mismatch(ErrorCode::options, from.replay.string(), "studies of split \"" + options.replay_split + "\"",
                          "none");
  }
  const Patients corrected(corrections.studies);
  std::erase_if(entries, [&](const auto& entry) { return corrected.contain(entry); });
  return entries;
}

Material material(const Dataset& corrections, const Dataset& validation, const std::vector<StudyEntry>& replay,
                  const FineTuneOptions& options) {
  Material result;
  result.data.name = "finetune";
  result.data.label_names = corrections.label_names;
  std::set<std::string> patients;
  for (const auto& entry : corrections.studies) patients.insert(entry.patient);
  auto chosen_on = in_split(validation, options.selection_split);
  auto corrected = corrections.studies;
  if (!chosen_on.empty()) {
    result.selection = "split \"" + options.selection_split + "\" of the validation data";
    refuse_leak(corrected, chosen_on, result.selection);
    refuse_leak(replay, chosen_on, result.selection);
  } else if (patients.size() >= 5) {
    const auto part = split_patients(patients, selection_parts(), 0);
    std::ranges::copy_if(corrected, std::back_inserter(chosen_on),
                         [&](const StudyEntry& entry) { return part.at(entry.patient) == select; });
    std::erase_if(corrected, [&](const StudyEntry& entry) { return part.at(entry.patient) == select; });
    result.selection = "a fifth of the corrected patients, kept apart";
  } else {
    chosen_on = corrected;
    for (auto& entry : chosen_on) entry.study += " (again)";
    result.selection = "the corrections themselves: they are too few to keep some apart";
  }
  add(result.data, std::move(corrected), "train", "corrections");
  add(result.data, replay, "train", "replay");
  add(result.data, std::move(chosen_on), select, "selection");
  return result;
}

/// The parent's network, to be trained as `training` says.
Recipe recipe_of(const Bundle& parent, const json& training) {
  const auto file = pipeline::read_json(parent.folder / "bundle.json");
  Recipe recipe;
  recipe.name = parent.spec.name;
  recipe.title = "finetune of " + parent.spec.name + " " + parent.spec.version;
  for (const char* key :
       {"task", "architecture", "input", "classes", "output", "decision", "thresholds", "patch", "procedure"}) {
    if (file.contains(key)) recipe.model[key] = file[key];
  }
  // A calibrated study threshold means nothing to probabilities that are not calibrated.
  if (parent.spec.calibration.study && recipe.model.contains("thresholds")) recipe.model["thresholds"].erase("study");
  recipe.citation = parent.spec.provenance.citation;
  recipe.training = training;
  return recipe;
}

json training_of(const Bundle& parent, const FineTuneOptions& options, bool replayed) {
  auto training = options.training.is_null() ? finetune_training(parent.spec) : options.training;
  training["validate"]["split"] = select;
  auto& sampling = training["sampling"];
  if (!sampling.is_object()) sampling = {{"balance", "uniform"}};
  sampling.erase("groups");  // a recipe's are of its own data sets
  if (replayed) {
    sampling["groups"] = {{"corrections", 1 - options.replay_share}, {"replay", options.replay_share}};
  }
  return training;
}

/// What the model's outputs need, and all types of blood for its figures.
std::vector<std::string> names_for(const ModelSpec& model) {
  auto names = label_names(model);
  for (const auto name : blood_labels) {
    if (std::ranges::find(names, name) == names.end()) names.emplace_back(name);
  }
  return names;
}

}  // namespace

json finetune_training(const ModelSpec& model) {
  const bool sigmoid = model.activation == Activation::sigmoid;
  const bool classifier = model.task == Task::slice_classification;
  return {{"steps", 300},
          {"batch", model.task == Task::segmentation ? 2 : 4},
          {"optimizer", {{"name", "adamw"}, {"learning_rate", 1e-4}, {"weight_decay", 1e-4}, {"clip_gradient", 5}}},
          {"schedule", {{"name", "cosine"}}},
          {"loss",
           {{"name", sigmoid      ? "binary cross entropy"
                     : classifier ? "cross entropy"
                                  : "dice + cross entropy"}}},
          {"validate", {{"every", 50}}}};
}

std::string next_version(const std::string& version) {
  const auto digits = version.find_last_not_of("0123456789") + 1;
  if (digits == version.size() || version.size() - digits > 9) return version + "-2";
  return version.substr(0, digits) + std::to_string(std::stoll(version.substr(digits)) + 1);
}

FineTuned finetune(const fs::path& parent_folder, const FineTuneData& from, const FineTuneOptions& options,
                   const Progress& progress) {
  const auto parent = open_bundle(parent_folder);
  require_slices(parent.spec, parent_folder.string());
  const auto names = names_for(parent.spec);
  const auto corrections = read_corrections(from.corrections, names);
  auto judged = read_manifest(from.validation, names);
  const auto replay = replayed(from, names, corrections, options);
  const auto [data, selection] = material(corrections, judged, replay, options);
  judged.studies = in_split(judged, options.validation_split);
  if (judged.studies.empty()) {
    throw Error::mismatch(ErrorCode::options, from.validation.string(),
                          "studies of split \"" + options.validation_split + "\"", "none");
  }
  refuse_leak(data.studies, judged.studies, "the validation set");

  PreparationOptions preparation;
  preparation.cache = options.cache;
  preparation.mask_classes = options.mask_classes;
  preparation.threads = options.threads;
  const auto recipe = recipe_of(parent, training_of(parent, options, !replay.empty()));
  const auto how = parse_training(recipe.training, parent.spec, recipe.title);
  preparation.anatomy = how.painted > 0 || how.distracted > 0;
  TrainOptions training;
  training.folder = options.folder;
  training.initial = parent_folder;
  training.split_hash = split_hash(data.studies);
  training.data_words = "Finetuned on " + std::to_string(corrections.studies.size()) + " corrected studies.";
  if (!parent.spec.untrained) training.data_words = parent.spec.training_data + " " + training.data_words;
  training.command = options.command;
  training.licence = parent.spec.licence;
  if (!parent.spec.licence_file.empty()) training.licence_file = parent_folder / parent.spec.licence_file;
  training.version = next_version(parent.spec.version);
  training.minutes = options.minutes;
  training.workers = options.workers;

  FineTuned result;
  result.selection = selection;
  {
    const auto studies = prepare_studies(data, parent.spec, preparation, progress);
    for (std::size_t i = 0; i < studies.size(); ++i) {
      for (const auto& words : studies[i].contradictions) result.notes.push_back(data.studies[i].source + ": " + words);
    }
    result.training = train(recipe, studies, training, progress);
  }
  if (result.training.bundle.empty()) return result;

  // Both on the scale that they learned: the new version has no calibration yet.
  const auto answers = [&](const fs::path& bundle) {
    auto answered = judge(uncalibrated(open_model(bundle, options.threads)), judged, preparation, progress);
    if (bundle == parent_folder) std::ranges::move(answered.notes, std::back_inserter(result.notes));
    return answered.outcomes;
  };
  const auto before = answers(parent_folder), after = answers(result.training.bundle);
  result.choice = evaluate::choose_model(before, after, options.choice);
  evaluate::FiguresOptions figures;
  figures.threshold = options.choice.threshold;
  figures.bootstrap = options.choice.bootstrap;
  result.before = evaluate::figures(before, figures);
  result.after = evaluate::figures(after, figures);
  const nlohmann::ordered_json comparison{
      {"parent", {{"name", parent.spec.name}, {"version", parent.spec.version}, {"sha256", parent.sha256}}},
      {"version", training.version},
      {"weights_chosen_on", selection},
      {"probabilities", "before calibration"},
      {"choice", to_json(*result.choice)},
      {"before", to_json(*result.before)},
      {"after", to_json(*result.after)}};
  pipeline::write_text(options.folder / "comparison.json", comparison.dump(2) + "\n");
  return result;
}

}  // namespace ichdet::train
