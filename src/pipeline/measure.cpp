#include "measure.hpp"

#include "ichdet/aggregate/lesions.hpp"
#include "ichdet/aggregate/slices.hpp"
#include "ichdet/core/error.hpp"

namespace ichdet::pipeline {

void check(const DetectorOptions& o) {
  if (const auto threshold = o.decision_threshold.value_or(0.5); !(threshold > 0 && threshold < 1)) {
    throw Error::mismatch(ErrorCode::options, "decision_threshold", "a number between 0 and 1",
                          std::to_string(threshold));
  }
  if (!(o.min_lesion_ml >= 0)) {
    throw Error::mismatch(ErrorCode::options, "min_lesion_ml", "0 or more", std::to_string(o.min_lesion_ml));
  }
  if (o.top_voxels < 1)
    throw Error::mismatch(ErrorCode::options, "top_voxels", "at least 1", std::to_string(o.top_voxels));
  ichdet::check(o.review);
}

void measure(StudyResult& result, const Found& found, const std::vector<ClassSpec>& classes,
             const DetectorOptions& options) {
  const auto& [labels, blood, grid] = found;
  LesionOptions lesion_options;
  lesion_options.min_volume_ml = options.min_lesion_ml;
  for (std::size_t c = 1; c < labels.names.size(); ++c) {
    result.labels.emplace(int(c), labels.names[c]);
    if (!classes[c].blood) continue;
    result.blood_labels.push_back(int(c));
    lesion_options.labels.push_back(std::uint8_t(c));
  }
  result.slices = slice_scores(blood, labels.geometry, options.top_voxels);
  if (labels.geometry.regular()) {
    result.volumes_ml = volumes_ml(labels);
  } else {
    result.volumes_ml = volumes_ml(SliceLabels(grid.labels, grid.names, SliceGeometry(grid.geometry)));
    result.assumptions.emplace_back(
        "The slices are not evenly spaced: total volumes are measured on a regular grid, lesions on the "
        "slices.");
  }
  result.lesions = lesions(labels, blood, lesion_options);
  if (labels.geometry.count() == 1) result.assumptions.emplace_back("A single slice: no network saw its neighbours.");
}

void decide(StudyResult& result, const ensemble::Calibration& calibration,
            const std::map<std::string, double>& thresholds, const DetectorOptions& options) {
  const auto own = thresholds.find("study");
  const double threshold = options.decision_threshold.value_or(own != thresholds.end() ? own->second : 0.5);
  result.decision = decide_by_highest_slice(result.slices, threshold);
  if (calibration.study) result.decision.rule = "highest slice probability";
  ensemble::calibrate(result, calibration, threshold);
  flag_for_review(result, options.review);
}

}  // namespace ichdet::pipeline
