#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "ichdet/core/config.hpp"
#include "ichdet/core/results.hpp"
#include "ichdet/evaluate/drift.hpp"
#include "ichdet/io/png.hpp"

namespace ichdet {

/// What a result says that drift shows in. `volume_ml` adds up the blood labels' volumes, NaN where a classifier
/// measures none; slices without a head are left out.
evaluate::StudyScores scores_of(const std::string& study, const StudyResult& result);

/// A bundle's `reference_scores.json`: the scores of its validation set.
nlohmann::ordered_json to_json(const std::vector<evaluate::StudyScores>& scores);
/// The inverse. Throws Error(io) that names `subject` and the field.
std::vector<evaluate::StudyScores> scores_from_json(const nlohmann::ordered_json& json, const std::string& subject);

nlohmann::ordered_json to_json(const evaluate::DriftReport& report);

/// For each quantity the validation set's histogram and the new studies', as parts of each.
Image draw_drift(const evaluate::DriftReport& report);

}  // namespace ichdet

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/report/drift_inl.hpp"
#endif
