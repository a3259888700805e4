#include "ichdet/pipeline/detector.hpp"

#include <utility>

#include "canvas.hpp"
#include "ichdet/core/version.hpp"
#include "ichdet/preprocess/grid.hpp"
#include "ichdet/preprocess/resample.hpp"
#include "measure.hpp"
#include "slabs.hpp"
#include "timed.hpp"
#include "trust.hpp"

namespace ichdet {

namespace {

/// What a segmenter said, on its grid and on the native slices.
struct Answer {
  LabelMap grid_labels;
  SliceLabels labels;
  Array3<float> blood;  ///< probability, on the native slices
};

Answer brought_back(const Labelling& found, const SliceGeometry& slices, int threads) {
  return {found.labels, resample_to(found.labels, slices, threads),
          resample_to(found.blood, found.labels.geometry, slices, {.threads = threads})};
}

/// Interpolated first, some slices at a time: the likeliest class of each native pixel.
Answer brought_back(const Segmentation& found, const std::vector<ClassSpec>& classes, const SliceGeometry& slices,
                    int threads) {
  Array3<std::uint8_t> labels(slices.shape());
  Array3<float> blood(slices.shape());
  const auto paint = pipeline::paint_labels(labels, blood, classes);
  for (const auto& slab : pipeline::slabs(slices)) {
    paint({slab.first, 0, 0}, resample_to(found.probabilities, slab.geometry, {.threads = threads}), nullptr);
  }
  return {argmax(found.probabilities), SliceLabels(std::move(labels), found.probabilities.classes, slices),
          std::move(blood)};
}

/// Asks the segmenter, notes how it went, and brings what it said to the slices.
template <class Ask, class Bring>
Answer answer(StudyResult& result, Ask&& ask, Bring&& bring) {
  const auto found = pipeline::timed(result, "segment", ask);
  result.inference = found.inference;
  result.assumptions.insert(result.assumptions.end(), found.assumptions.begin(), found.assumptions.end());
  return pipeline::timed(result, "to native slices", [&] { return bring(found); });
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
  const auto whole = [&] { return segmenter_(volume, progress); };
  const auto lean = [&] { return segmenter_.label(volume, progress); };
  const auto interpolated = [&](const Segmentation& said) {
    return brought_back(said, spec.classes, stack.geometry, options_.threads);
  };
  const auto nearest = [&](const Labelling& said) { return brought_back(said, stack.geometry, options_.threads); };
  Answer found = spec.procedure.inversion == ProcedureSpec::Inversion::probabilities
                     ? answer(result, whole, interpolated)
                     : answer(result, lean, nearest);

  progress("measure", 0);
  pipeline::timed(result, "measure", [&] {
    pipeline::measure(result, {found.labels, found.blood, found.grid_labels}, spec.classes, options_);
    pipeline::decide(result, spec.calibration, spec.thresholds, options_);
    return 0;
  });
  progress("measure", 1);
  return {std::move(result), std::move(found.labels), std::move(found.grid_labels)};
}

}  // namespace ichdet
