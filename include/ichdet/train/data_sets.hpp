#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "ichdet/bundle/recipe.hpp"
#include "ichdet/core/progress.hpp"
#include "ichdet/train/prepared.hpp"
#include "ichdet/train/split.hpp"

namespace ichdet::train {

/// The data of a training as a user names them, and how they are read.
struct DataOptions {
  std::vector<std::filesystem::path> manifests;  ///< read_manifest
  /// Folders with RSNA 2019's stage_2_train.csv and stage_2_train/: read_rsna.
  std::vector<std::filesystem::path> rsna;
  std::vector<std::filesystem::path> splits;  ///< read_split; empty: the data's own, the recipe's shares for the rest
  PreparationOptions preparation;             ///< whether anatomy is looked for is the recipe's matter
  std::optional<Fold> fold = {};              ///< of cross validation: in place of `splits` and of those of the data
};

/// What a training learns from and is judged by.
struct TrainingData {
  std::vector<TrainingStudy> studies;  ///< of the splits "train" and `validate.split`, prepared for data_model()
  std::vector<std::string> notes;      ///< what was passed over, contradicts itself or is missing, a sentence each
  std::string split_hash;              ///< of all studies, prepared or not
  std::vector<Dataset> selection;      ///< of the split that chooses the weights: the scans themselves
  PreparationOptions preparation;      ///< how they are read
  std::string words;                   ///< "rsna_plain: 123 studies (train 68, select 15, proof 40)"
};

/// Reads and prepares what a recipe, of as many `members` as data_model() asks for, is to be trained on. Splits are
/// dealt over all data sets at once, so that a patient of two of them is on one side. Throws Error(options) where no
/// data set is named, split files disagree, or a split that is needed is empty; and what reading and preparing throw.
TrainingData read_training_data(const Recipe& recipe, const DataOptions& options,
                                const std::vector<std::filesystem::path>& members = {}, const Progress& progress = {});

}  // namespace ichdet::train
