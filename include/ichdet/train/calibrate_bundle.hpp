#pragma once

#include <filesystem>
#include <string>

#include "ichdet/core/progress.hpp"
#include "ichdet/train/data_sets.hpp"

namespace ichdet::train {

/// Fits the probabilities of slices, and of studies, that a bundle gives on `data.selection` to what is true there
/// (fit_platt), and puts that into the bundle in place of what calibration it has. These studies chose its weights: the
/// fit is a little too sure. A side of fewer than 2 cases is not fitted.
///
/// What was done, or why not, in a sentence. Throws what judge() and copy_calibrated_bundle() throw.
std::string calibrate_bundle(const std::filesystem::path& bundle, const TrainingData& data, int threads = 0,
                             const Progress& progress = {});

}  // namespace ichdet::train
