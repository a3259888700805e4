#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "ichdet/train/train.hpp"
#include "ichdet/train/training_spec.hpp"

namespace ichdet::train {

/// SHA-256 of the split, and of all that is learned from: each study's scan and mask, how they were prepared, labels.
std::string data_hash(const std::vector<TrainingStudy>& studies, const std::string& split_hash);

/// What record.json says of a training, as model_card() reads it: what it is of, on what it ran, how far it came.
nlohmann::json record_of(const Recipe& recipe, const TrainingSpec& training, const TrainOptions& options,
                         const std::vector<TrainingStudy>& studies, const FitResult& result);

}  // namespace ichdet::train
