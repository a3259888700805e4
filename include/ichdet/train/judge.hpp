#pragma once

#include <filesystem>
#include <functional>
#include <vector>

#include "ichdet/bundle/spec.hpp"
#include "ichdet/core/progress.hpp"
#include "ichdet/core/results.hpp"
#include "ichdet/core/slice_stack.hpp"
#include "ichdet/evaluate/drift.hpp"
#include "ichdet/evaluate/outcome.hpp"
#include "ichdet/train/manifest.hpp"
#include "ichdet/train/prepared.hpp"

namespace ichdet::train {

/// What a model says about a scan, as far as its figures need it.
struct Answer {
  StudyResult result;
  Array3<std::uint8_t> blood;  ///< 1 where it marks blood, on the scan's slices; empty of classifiers
};

/// A bundle or an ensemble of any kind, ready for use on scans.
struct Model {
  std::string name;
  bool tissues = true;             ///< false where classes name no tissues: all of a mask but 0 is blood
  std::vector<ClassSpec> classes;  ///< what a mask's values mean
  std::function<Answer(const SliceStack& stack, const Progress& progress)> answer;
};

/// The whole chain that `ichdet detect` and `ichdet classify` run, on `threads` threads (0: as many as the machine
/// has). A bundle's folder, an ensemble's YAML file, or a folder with such a file, ensemble.yaml. Throws Error(options)
/// for a bundle that tells no slices apart (exams, map weights, brains), and what opening it throws.
Model open_model(const std::filesystem::path& place, int threads = 0);

/// A model's answers.
struct Judged {
  std::vector<evaluate::StudyOutcome> outcomes;  ///< beside the truth
  std::vector<evaluate::StudyScores> scores;     ///< as later studies' are compared with (evaluate::drift)
};

/// Asks the model about each study of the data set. Masks are compared on the scan's own slices; whether a slice shows
/// blood is what its label `any` says, else what the mask shows. Reports "judge 3 of 17". Throws what reading a scan
/// throws, naming the study.
Judged judge(const Model& model, const Dataset& dataset, const PreparationOptions& options = {},
             const Progress& progress = {});

}  // namespace ichdet::train
