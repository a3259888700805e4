#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "ichdet/bundle/spec.hpp"
#include "ichdet/core/progress.hpp"
#include "ichdet/evaluate/figures.hpp"
#include "ichdet/evaluate/model_choice.hpp"
#include "ichdet/train/manifest.hpp"
#include "ichdet/train/train.hpp"

namespace ichdet::train {

/// Corrected scans: a manifest (CSV), or a folder with a mask NAME_mask.nii or NAME_mask.nii.gz for each scan, which
/// lies beside it as NAME.nii, NAME.nii.gz or the DICOM folder NAME. Splits are not read; each scan of a folder is a
/// patient of its own. Throws Error(io) where a mask has no scan or there is no mask, and as read_manifest.
Dataset read_corrections(const std::filesystem::path& place, const std::vector<std::string>& label_names);

/// What a bundle learns from, and is judged on.
struct FineTuneData {
  std::filesystem::path corrections;  ///< read_corrections
  std::filesystem::path validation;   ///< manifest
  std::filesystem::path replay;       ///< manifest of what the parent learned from; may be empty
};

struct FineTuneOptions {
  std::filesystem::path folder;  ///< of states, log, comparison and the new bundle
  nlohmann::json training;       ///< a recipe's `training` section; null: finetune_training() of the parent
  std::string validation_split = "validation", selection_split = "select", replay_split = "train";
  double replay_share = 0.5;                          ///< of the examples, where there is a data set to replay
  std::map<std::uint8_t, std::uint8_t> mask_classes;  ///< of all masks, as PreparationOptions has it
  std::filesystem::path cache;                        ///< of prepared studies
  evaluate::ModelChoiceOptions choice;
  std::string command;
  double minutes = 0;  ///< of this sitting; 0: until the end
  int threads = 0, workers = 1;
};

struct FineTuned {
  TrainResult training;  ///< its bundle is empty where the training is not yet at its end, and so is all that follows
  std::optional<evaluate::ModelChoice> choice;
  std::optional<evaluate::Figures> before, after;
  std::string selection;           ///< on what the best weights were chosen, in words
  std::vector<std::string> notes;  ///< labels that masks contradict, and studies that could not be judged
};

/// A careful continuation: 300 steps of AdamW at 1e-4 falling to 0, the loss that the outputs call for.
nlohmann::json finetune_training(const ModelSpec& model);

/// "3" -> "4", "1.2" -> "1.3", "v2-beta" -> "v2-beta-2".
std::string next_version(const std::string& version);

/// S2's refinement: goes on training a bundle with corrected scans, and says whether the new version should replace it.
///
/// Learns from all corrections, and from the studies of `replay_split` where there is something to replay, but for
/// those of corrected patients, so that what the parent knew is not forgotten. The best weights are chosen on the
/// validation's `selection_split`; where it has none, on a fifth of the corrected patients, kept apart (of fewer than
/// five: on the corrections themselves). Then both versions answer the studies of `validation_split`, which nothing is
/// chosen on, and choose_model decides, by probabilities before calibration: the new bundle has none, and no threshold
/// of the parent's calibrated studies. It has the parent's name and the next version.
///
/// In `folder`, beside what train() leaves: bundle/ and comparison.json. Throws Error(options) where the parent tells
/// no slices apart, a patient of the validation is among those learned from, or a split is empty; and what train, judge
/// and choose_model throw.
FineTuned finetune(const std::filesystem::path& parent, const FineTuneData& data, const FineTuneOptions& options,
                   const Progress& progress = {});

}  // namespace ichdet::train
