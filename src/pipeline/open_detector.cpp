#include "ichdet/pipeline/open_detector.hpp"

#include <utility>

#include "ichdet/bundle/cache.hpp"
#include "ichdet/bundle/ensemble_spec.hpp"
#include "ichdet/bundle/shipped.hpp"
#include "ichdet/pipeline/slice_segmenter.hpp"

namespace ichdet {

std::vector<Bundle> open_named(const std::vector<std::string>& names) {
  std::vector<std::filesystem::path> folders;
  for (const auto& name : names) {
    const auto found = resolve_bundles(name);
    folders.insert(folders.end(), found.begin(), found.end());
  }
  return open_bundles(folders);
}

namespace {

AnyDetector slice_segmenter(const std::vector<Bundle>& bundles, const OpenOptions& options) {
  SliceSegmenterOptions own;
  own.network = options.classifier.network;
  own.min_lesion_ml = options.detector.min_lesion_ml;
  if (options.detector.decision_threshold) {
    own.rule = bundles.front().spec.rule;
    own.rule->case_threshold = *options.detector.decision_threshold;
  }
  return {[segmenter = SliceSegmenter(bundles, std::nullopt, own)](const SliceStack& stack, const Progress& progress) {
    return segmenter(stack, progress).detection;
  }};
}

}  // namespace

AnyDetector open_detector(const std::vector<std::string>& names, const OpenOptions& options) {
  if (names.size() == 1) {
    if (const auto file = find_ensemble(names.front())) {
      return {EnsembleDetector(read_ensemble(*file), options.segmenter, options.classifier, options.detector)};
    }
  }
  const auto bundles = open_named(names);
  if (bundles.front().spec.task == Task::slice_segmentation) return slice_segmenter(bundles, options);
  return {Detector(Segmenter(bundles, options.segmenter), options.detector)};
}

}  // namespace ichdet
