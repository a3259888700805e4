#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "ichdet/bundle/recipe.hpp"
#include "ichdet/core/progress.hpp"
#include "ichdet/train/loop.hpp"
#include "ichdet/train/training_study.hpp"

namespace ichdet::train {

/// What a training is of, beside its recipe.
struct TrainOptions {
  std::filesystem::path folder;                ///< of states, log and the bundle
  std::filesystem::path initial;               ///< weights to begin with: a bundle's folder or a file; empty: random
  std::vector<std::filesystem::path> members;  ///< of map weights: the bundles whose maps are weighed, in order
  std::string split_hash;                      ///< who of all studies is in which split, for the bundle
  std::string data_words;                      ///< what the data are: the bundle's `training_data`
  std::string command;                         ///< for the record
  std::string licence;                         ///< of the weights, SPDX
  std::filesystem::path licence_file;
  std::string name, version = "1";  ///< of the bundle; empty: the recipe's
  double minutes = 0;               ///< of this sitting; 0: until the end
  int workers = 1;
  std::string device = "cpu";  ///< or "cuda", "cuda:1", ... where LibTorch has it
};

struct TrainResult {
  FitResult fit;
  std::filesystem::path bundle;  ///< empty where the training is not yet at its end
  bool made = false;             ///< whether this call made it; else it may have been calibrated since
};

/// What studies have to be prepared for: the recipe's model, or where it weighs maps the first member's. Throws
/// Error(options) where members are missing, or given to another model.
ModelSpec data_model(const Recipe& recipe, const std::vector<std::filesystem::path>& members);

/// Trains a recipe's network on studies, prepared for data_model(), of the splits "train" and `validate.split`, in
/// sittings that go on where the last one ended (fit), and makes a bundle at the end: `folder`/bundle, with provenance,
/// split, figures.
///
/// Throws Error(options) where the recipe has no `training`, or a split is empty; and what fit and make_bundle throw.
TrainResult train(const Recipe& recipe, const std::vector<TrainingStudy>& studies, const TrainOptions& options,
                  const Progress& progress = {});

}  // namespace ichdet::train
