#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "ichdet/core/config.hpp"
#include "ichdet/core/volume.hpp"

namespace ichdet::ensemble {

/// How a member's classes become those of an ensemble. Class 0 is background in both.
struct ClassMapping {
  std::vector<std::string> names;  ///< the ensemble's
  std::vector<std::size_t> to;     ///< for each of the member's classes, which of them it becomes
  /// For each of the ensemble's, whether the member tells anything about it: where not, others answer alone (experts).
  std::vector<bool> answers;
};

/// By name: `renamed` says what a member's class is called in the ensemble, others keep their names; background becomes
/// background whatever it is called. Throws Error(options) that names the member and the class: one that the ensemble
/// does not have, a key of `renamed` that the member does not have, or a member without a class of the ensemble's.
ClassMapping map_classes(const std::string& member, const std::vector<std::string>& member_classes,
                         const std::vector<std::string>& ensemble_classes,
                         const std::map<std::string, std::string>& renamed = {});

/// The ensemble's classes: what becomes the same class is added up. The same buffer where nothing changes.
ProbabilityMap to_classes(const ProbabilityMap& map, const ClassMapping& mapping);
LabelMap to_classes(const LabelMap& map, const ClassMapping& mapping);

}  // namespace ichdet::ensemble

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/ensemble/classes_inl.hpp"
#endif
