#pragma once

#include <map>
#include <string>
#include <vector>

#include "ichdet/bundle/spec.hpp"
#include "ichdet/ensemble/calibrator.hpp"
#include "ichdet/pipeline/detector.hpp"

// From what was found in a study's slices to what its result says.
namespace ichdet::pipeline {

/// Throws Error(options) that names the option which is out of its range.
void check(const DetectorOptions& options);

struct Found {
  const SliceLabels& labels;
  const Array3<float>& blood;  ///< its probability: slice, row, column
  const LabelMap& grid_labels;
};

/// Labels, volumes, lesions and slice scores, and what was assumed for them. Volumes of unevenly spaced slices are
/// measured on the grid.
void measure(StudyResult& result, const Found& found, const std::vector<ClassSpec>& classes,
             const DetectorOptions& options);

/// The decision by the highest slice, calibrated, and flagged for review where it is near one half.
void decide(StudyResult& result, const ensemble::Calibration& calibration,
            const std::map<std::string, double>& thresholds, const DetectorOptions& options);

}  // namespace ichdet::pipeline
