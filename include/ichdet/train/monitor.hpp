#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "ichdet/core/results.hpp"
#include "ichdet/evaluate/drift.hpp"

namespace ichdet::train {

/// What a model said about studies, and which model that was.
struct ReferenceScores {
  std::vector<BundleIdentity> bundles;  ///< empty: not known
  std::vector<evaluate::StudyScores> studies;
};

/// The result.json files that `ichdet detect` and `classify` left: the given files, and all in or below the given
/// folders, each once, in order of their paths; a study has its folder's name. Throws Error(io) where a folder has none
/// or a file cannot be read, Error(options) where not all are of one model.
ReferenceScores read_results(const std::vector<std::filesystem::path>& places);

/// reference_scores.json, the scores of a model's validation set. Throws Error(io) that names file and field.
ReferenceScores read_reference(const std::filesystem::path& file);
std::string to_json_text(const ReferenceScores& scores);
void write_reference(const std::filesystem::path& file, const ReferenceScores& scores);

/// Where it lies: in the folder of the bundle or ensemble that `model` names, as open_model() reads it. Throws what
/// resolve_bundle throws.
std::filesystem::path reference_file(const std::filesystem::path& model);

/// Compares results with the scores of the model's validation set (evaluate::drift). Throws Error(options) where they
/// are of another model or version than those, and as above.
evaluate::DriftReport monitor(const std::filesystem::path& model, const ReferenceScores& results);

}  // namespace ichdet::train
