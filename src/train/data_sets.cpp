#include "ichdet/train/data_sets.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "ichdet/core/error.hpp"
#include "ichdet/train/examples.hpp"
#include "ichdet/train/rsna.hpp"
#include "ichdet/train/split.hpp"
#include "ichdet/train/train.hpp"
#include "ichdet/train/training_spec.hpp"

namespace ichdet::train {
namespace {

std::vector<Dataset> read_sets(const DataOptions& options, const std::vector<std::string>& labels,
                               const Progress& progress) {
  std::vector<Dataset> sets;
  for (const auto& csv : options.manifests) sets.push_back(read_manifest(csv, labels));
  for (const auto& folder : options.rsna) {
    sets.push_back(read_rsna(folder / "stage_2_train.csv", folder / "stage_2_train", labels,
                             options.preparation.threads, progress));
  }
  if (sets.empty()) throw Error(ErrorCode::options, "data: expected a manifest or RSNA's folder, found none");
  return sets;
}

std::map<std::string, std::string> read_splits(const std::vector<std::filesystem::path>& files) {
  std::map<std::string, std::string> by_patient;
  for (const auto& file : files) {
    for (const auto& [patient, split] : read_split(file)) {
      const auto [place, is_new] = by_patient.emplace(patient, split);
      if (is_new || place->second == split) continue;
      throw Error::mismatch(ErrorCode::options, file.string() + ": split of patient " + patient,
                            place->second + ", as in another split file", split);
    }
  }
  return by_patient;
}

/// "train 68, select 15, proof 40"
std::string in_words(const std::vector<StudyEntry>& studies) {
  std::map<std::string, int> counts;
  for (const auto& study : studies) ++counts[study.split];
  std::string words;
  for (const auto& [split, count] : counts) {
    words += (words.empty() ? "" : ", ") + split + " " + std::to_string(count);
  }
  return words;
}

void require_split(const std::vector<StudyEntry>& studies, const std::string& split, const std::string& why) {
  if (std::ranges::find(studies, split, &StudyEntry::split) != studies.end()) return;
  throw Error::mismatch(ErrorCode::options, "data", "studies of the split \"" + split + "\", " + why,
                        in_words(studies));
}

/// What a person should know of the prepared studies before hours are spent on them.
void note_studies(const Dataset& set, const std::vector<TrainingStudy>& studies, bool anatomy,
                  std::vector<std::string>& notes) {
  std::size_t bare = 0;
  for (std::size_t i = 0; i < studies.size(); ++i) {
    for (const auto& words : studies[i].contradictions) notes.push_back(set.studies[i].source + ": " + words);
    bare += anatomy && !studies[i].anatomy ? 1 : 0;
  }
  if (bare == 0) return;
  notes.push_back(set.name + ": in " + std::to_string(bare) + " of " + std::to_string(studies.size()) +
                  " studies no anatomy was found, and nothing is painted into them.");
}

}  // namespace

TrainingData read_training_data(const Recipe& recipe, const DataOptions& options,
                                const std::vector<std::filesystem::path>& members, const Progress& progress) {
  const auto model = data_model(recipe, members);
  const auto training = parse_training(recipe.training, model, "recipe " + recipe.name);
  auto preparation = options.preparation;
  preparation.anatomy = training.painted > 0 || training.distracted > 0;
  auto sets = read_sets(options, label_names(model), progress);
  const auto by_patient = read_splits(options.splits);
  if (options.fold) {
    if (!by_patient.empty()) throw Error(ErrorCode::options, "fold: expected no split files beside it");
    assign_fold(sets, *options.fold, training.validation_split, training.seed);
  } else if (by_patient.empty()) {
    assign_splits(sets, training.split, training.seed);
  } else {
    for (auto& set : sets) assign_splits(set.studies, by_patient);
  }

  TrainingData data;
  std::vector<StudyEntry> all;
  for (const auto& set : sets) {
    for (const auto& note : set.notes) data.notes.push_back(set.name + ": " + note);
    data.words += (data.words.empty() ? "" : "; ") + set.name + ": " + std::to_string(set.studies.size()) +
                  " studies (" + in_words(set.studies) + ")";
    all.insert(all.end(), set.studies.begin(), set.studies.end());
  }
  data.split_hash = split_hash(all);
  require_split(all, "train", "to learn from");
  require_split(all, training.validation_split, "to choose the best weights by");
  data.preparation = preparation;
  for (auto& set : sets) {
    auto& selection = data.selection.emplace_back(set);
    std::erase_if(selection.studies, [&](const auto& study) { return study.split != training.validation_split; });
    std::erase_if(set.studies, [&](const auto& study) {
      return study.split != "train" && study.split != training.validation_split;
    });
    auto studies = prepare_studies(set, model, preparation, progress);
    note_studies(set, studies, preparation.anatomy, data.notes);
    std::ranges::move(studies, std::back_inserter(data.studies));
  }
  return data;
}

}  // namespace ichdet::train
