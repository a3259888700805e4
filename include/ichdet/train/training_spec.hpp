#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "ichdet/bundle/spec.hpp"
#include "ichdet/train/augment.hpp"
#include "ichdet/train/distractors.hpp"
#include "ichdet/train/losses.hpp"
#include "ichdet/train/optimizer.hpp"
#include "ichdet/train/sampling.hpp"
#include "ichdet/train/split.hpp"
#include "ichdet/train/synthesis.hpp"

namespace ichdet::train {

/// How a recipe's networks are trained: its `training` section (docs/training.md).
struct TrainingSpec {
  std::uint64_t seed = 0;
  std::int64_t steps = 0;   ///< 0: by epochs
  std::int64_t epochs = 0;  ///< 0: by steps
  std::int64_t batch = 8;   ///< examples a step
  OptimizerSpec optimizer;
  ScheduleSpec schedule;
  LossSpec loss;
  double average = 0;
  bool bfloat16 = false;
  SamplingOptions sampling;
  AugmentOptions augment;
  double painted = 0;  ///< share of blood-free examples that blood is painted into
  SynthesisOptions synthesis;
  double distracted = 0;  ///< share of all examples that things which are not blood are painted into
  DistractorOptions distractors;
  std::int64_t validate_every = 500;  ///< steps
  std::string validation_split = "validation";
  std::int64_t painted_validation = 0;  ///< painted, augmented examples of that split that are judged too
  std::vector<std::string> score;       ///< values whose mean chooses the best weights; empty: by the task
  std::vector<SplitPart> split;         ///< of patients, where the data do not say; seeded by `seed`
};

/// Reads and validates, with defaults by the model's task. Throws Error(weights) that starts with `subject` and names
/// the path, what was expected and what was found; unknown keys are refused. Throws Error(options) where there is none.
TrainingSpec parse_training(const nlohmann::json& json, const ModelSpec& model, const std::string& subject);

}  // namespace ichdet::train
