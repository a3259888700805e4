#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "ichdet/bundle/spec.hpp"
#include "ichdet/core/progress.hpp"
#include "ichdet/core/results.hpp"
#include "ichdet/core/slice_stack.hpp"
#include "ichdet/evaluate/outcome.hpp"
#include "ichdet/train/manifest.hpp"
#include "ichdet/train/monitor.hpp"
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
  bool tissues = true;             ///< false where classes name no tissues: a mask is of 0, and 1 for blood
  std::vector<ClassSpec> classes;  ///< what a mask's values mean
  std::function<Answer(const SliceStack& stack, const Progress& progress)> answer;
};

/// The whole chain that `ichdet detect` and `ichdet classify` run, on `threads` threads (0: as many as the machine
/// has). A name as `ichdet models list` has it, a bundle's folder, an ensemble's YAML file, or a folder with such a
/// file, ensemble.yaml. Throws Error(options) for a bundle that tells no slices apart (exams, map weights, brains), and
/// what opening it throws.
Model open_model(const std::filesystem::path& place, int threads = 0);

/// Throws Error(options) that begins with `subject` where open_model() would.
void require_slices(const ModelSpec& model, const std::string& subject);

/// The same model before its calibration: two versions of a model, of which one is calibrated, compare by this.
Model uncalibrated(Model model);

/// A model's answers.
struct Judged {
  std::vector<evaluate::StudyOutcome> outcomes;  ///< beside the truth
  ReferenceScores reference;                     ///< as later studies' are compared with (monitor)
  std::vector<std::string>
      notes;  ///< studies that could not be read, and labels that masks contradict, a sentence each
};

/// The manifest's studies of a split (empty: of all), with labels of every type of blood. Throws Error(options) where
/// it has none, and as read_manifest.
Dataset judged_studies(const std::filesystem::path& manifest, const std::string& split);

/// Asks the model about each study of the data set. Masks are compared on the scan's own slices, where they are known
/// (`unknown_label`); whether a slice shows blood is what its label `any` says, else what the mask shows, and of a
/// study of one slice the study's label is the slice's. Reports "judge 3 of 17". A study that cannot be read is left
/// out, with a note; throws what reading it threw, naming it, where there is no other.
Judged judge(const Model& model, const Dataset& dataset, const PreparationOptions& options = {},
             const Progress& progress = {});

}  // namespace ichdet::train
