#pragma once

#include <string>
#include <vector>

#include "ichdet/train/judge.hpp"
#include "read_scan.hpp"

namespace ichdet::train {

/// A model's answer beside what the entry and its mask say; labels that the mask contradicts are noted.
evaluate::StudyOutcome outcome_of(const Model& model, const StudyEntry& entry, const Dataset& dataset, const Scan& scan,
                                  const Answer& answer, std::vector<std::string>& notes);

}  // namespace ichdet::train
