#pragma once

#include <array>
#include <filesystem>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ichdet/aggregate/review.hpp"
#include "ichdet/bundle/spec.hpp"
#include "ichdet/ensemble/combine.hpp"
#include "ichdet/ensemble/slice_rule.hpp"

namespace ichdet {

/// One voice in an ensemble: a bundle, or bundles that are averaged before anything else.
struct EnsembleMember {
  std::string bundle;                          ///< a name from `ichdet models list`, or a bundle's folder
  std::vector<std::filesystem::path> folders;  ///< where the file was found to mean
  std::optional<Task> kind;                    ///< what it has to be: a segmentation or slice classification
  double weight = 1;                           ///< of stacking, of the member's logit
  std::map<std::string, std::string> classes;  ///< its class -> the ensemble's; others keep their names
};

/// How several models answer as one: what an ensemble's YAML file says.
struct EnsembleSpec {
  std::string name;
  std::vector<ClassSpec> classes;  ///< empty: those of the first segmenter
  ensemble::CombineRule rule = ensemble::CombineRule::mean;
  bool staple = false;   ///< in place of `rule`: STAPLE of the segmenters' likeliest classes
  double intercept = 0;  ///< of stacking
  std::vector<EnsembleMember> members;
  /// How likely blood is on a slice. Without it: as likely as where it is likeliest on the map, and of slice
  /// classifiers the map is multiplied by their probability.
  std::optional<ensemble::SliceRule> slices;
  ensemble::Calibration calibration;  ///< members' own are not used
  std::map<std::string, double> thresholds;
  ReviewRange review;
};

/// docs/ensembles.md describes the file. Members are not looked up. Throws Error(weights) that names `subject`, line or
/// path, what was expected and what was found; unknown keys are refused.
EnsembleSpec parse_ensemble(std::string_view yaml, const std::string& subject);

/// As the file has it under `slices`.
nlohmann::json to_json(const ensemble::SliceRule& rule);

/// With members looked up: a folder beside the file, else as resolve_bundles() does; but for those that `own` names,
/// which are networks of the caller's. Throws Error(weights) where the file cannot be read, as above, or where a member
/// is not there.
EnsembleSpec read_ensemble(const std::filesystem::path& file, const std::vector<std::string>& own = {});

/// Looks the members of a spec up likewise that have no folders yet, beside `folder`. Throws as read_ensemble, in the name of `subject`.
void find_members(EnsembleSpec& spec, const std::filesystem::path& folder, const std::string& subject,
                  const std::vector<std::string>& own = {});

}  // namespace ichdet
