#pragma once

#include <filesystem>
#include <optional>

#include "ichdet/ensemble/calibrator.hpp"
#include "ichdet/ensemble/slice_rule.hpp"

namespace ichdet {

/// `copy` in full. Throws Error(io) where anything is there by its name, be it empty.
std::filesystem::path check_new_place(const std::filesystem::path& copy);

/// A copy of a bundle with what `calibration` has in place of its own, and `threshold` as its `thresholds.study`; its
/// reference_scores.json, of the scale that was, is left behind.
/// Without one, a threshold that the bundle has goes through a new calibration of studies; Error(options) where it
/// cannot, as it was calibrated before or the calibration is isotonic. Throws Error(weights) where `bundle` is none,
/// Error(options) where `copy` lies in it, Error(io) where anything is there by the name of `copy`, or it cannot be
/// written.
void copy_calibrated_bundle(const std::filesystem::path& bundle, const std::filesystem::path& copy,
                            const ensemble::Calibration& calibration, std::optional<double> threshold);

/// A copy of an ensemble's file with `calibration` and `thresholds` at its end. It may have them already where an
/// earlier call put them there, for other targets. Its members have to be found from the copy's folder too. Throws as
/// read_ensemble, and Error(io) as above.
void copy_calibrated_ensemble(const std::filesystem::path& file, const std::filesystem::path& copy,
                              const ensemble::Calibration& calibration, std::optional<double> threshold);

/// The same with a slice rule at its end, of a file that has no rule, calibration or thresholds.
void copy_stacked_ensemble(const std::filesystem::path& file, const std::filesystem::path& copy,
                           const ensemble::SliceRule& rule);

}  // namespace ichdet
