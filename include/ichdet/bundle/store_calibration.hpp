#pragma once

#include <filesystem>
#include <optional>

#include "ichdet/ensemble/calibrator.hpp"

namespace ichdet {

/// A copy of a bundle with what `calibration` has in place of its own, and `threshold` as its `thresholds.study`.
/// Throws Error(weights) where `bundle` is none, Error(io) where `copy` exists and is not empty, or cannot be written.
void copy_calibrated_bundle(const std::filesystem::path& bundle, const std::filesystem::path& copy,
                            const ensemble::Calibration& calibration, std::optional<double> threshold);

/// A copy of an ensemble's file, which has neither `calibration` nor `thresholds`, with them at its end. Its members
/// have to be found from the copy's folder too. Throws as read_ensemble, and Error(io).
void copy_calibrated_ensemble(const std::filesystem::path& file, const std::filesystem::path& copy,
                              const ensemble::Calibration& calibration, std::optional<double> threshold);

}  // namespace ichdet
