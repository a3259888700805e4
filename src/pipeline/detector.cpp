#include "ichdet/pipeline/detector.hpp"

#include <utility>

#include "ichdet/core/version.hpp"
#include "ichdet/preprocess/grid.hpp"
#include "ichdet/preprocess/resample.hpp"
#include "measure.hpp"
#include "timed.hpp"
#include "trust.hpp"

namespace ichdet {

namespace {

/// Per voxel, the sum over the classes that are blood.
Array3<float> blood_probability(const ProbabilityMap& probabilities, const std::vector<ClassSpec>& classes) {
  Array3<float> blood(probabilities.geometry.shape());
  for (std::size_t c = 0; c < classes.size(); ++c) {
    if (!classes[c].blood) continue;
    const auto plane = probabilities.values.plane(std::int64_t(c));
    for (std::int64_t i = 0; i < blood.size(); ++i) blood.data()[i] += plane[std::size_t(i)];
  }
  return blood;
}

}  // namespace

Detector::Detector(Segmenter segmenter, DetectorOptions options) : segmenter_(std::move(segmenter)), options_(options) {
  pipeline::check(options_);
}

Detection Detector::operator()(const SliceStack& stack, const Progress& progress) const {
  const ModelSpec& spec = segmenter_.spec();
  StudyResult result;
  result.version = version;
  result.bundles = segmenter_.identities();
  result.assumptions = stack.assumptions;
  const auto measured = pipeline::measured_range(stack);
  result.trust = pipeline::trust_in(measured.high, spec);

  progress("resample", 0);
  const Volume volume = pipeline::timed(result, "resample", [&] {
    // Beyond the slices the grid reads as the scan's darkest pixel, as in blast-ct 2.1.0, nifti/rescale.py.
    return resample_to(stack, segmentation_grid(stack.geometry, Eigen::Vector3d(spec.spacing_mm.data())),
                       {.outside = measured.low, .threads = options_.threads});
  });
  const Segmentation segmentation = pipeline::timed(result, "segment", [&] { return segmenter_(volume, progress); });
  const ProbabilityMap& probabilities = segmentation.probabilities;
  result.inference = segmentation.inference;
  result.assumptions.insert(result.assumptions.end(), segmentation.assumptions.begin(), segmentation.assumptions.end());

  progress("measure", 0);
  LabelMap grid_labels = argmax(probabilities);
  SliceLabels labels = pipeline::timed(result, "to native slices",
                                       [&] { return resample_to(grid_labels, stack.geometry, options_.threads); });
  const auto blood = resample_to(blood_probability(probabilities, spec.classes), volume.geometry, stack.geometry,
                                 {.threads = options_.threads});

  pipeline::timed(result, "measure", [&] {
    pipeline::measure(result, {labels, blood, grid_labels}, spec.classes, options_);
    pipeline::decide(result, spec.calibration, spec.thresholds, options_);
    return 0;
  });
  if (stack.geometry.count() == 1) {
    result.assumptions.emplace_back(
        "A single slice: the 3D network read it repeated over its thickness, without neighbours.");
  }
  progress("measure", 1);
  return {std::move(result), std::move(labels), std::move(grid_labels)};
}

}  // namespace ichdet
