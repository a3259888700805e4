#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "ichdet/ensemble/calibrator.hpp"

namespace ichdet {

/// What bundle.json and an ensemble's file have under `calibration`: for each of study, slice and lesion that is
/// calibrated {"method": "temperature", "temperature": T}, {"method": "platt", "slope": a, "intercept": b} or
/// {"method": "isotonic", "points": [[probability, calibrated], ...]}, and "fitted_on" in words.
nlohmann::json to_json(const ensemble::Calibration& calibration);

/// Throws Error(weights) that names `subject`, the JSON path below `path`, what was expected and what was found;
/// unknown methods and keys are refused.
ensemble::Calibration parse_calibration(const nlohmann::json& json, const std::string& subject,
                                        const std::string& path = "/calibration");

}  // namespace ichdet
