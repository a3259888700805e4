#pragma once

#include <functional>
#include <string>
#include <vector>

#include "ichdet/pipeline/detector.hpp"
#include "ichdet/pipeline/ensemble_detector.hpp"

namespace ichdet {

/// The model that comes with ichdet.
inline constexpr const char* default_detector = "ichdet";

/// A Detector, EnsembleDetector or SliceSegmenter: whichever reads the model that was opened.
struct AnyDetector {
  std::function<Detection(const SliceStack& stack, const Progress& progress)> detect;
  Detection operator()(const SliceStack& stack, const Progress& progress = {}) const { return detect(stack, progress); }
};

struct OpenOptions {
  SegmenterOptions segmenter;
  ClassifierOptions classifier;  ///< of an ensemble's members that classify slices
  DetectorOptions detector;
};

/// The bundles that names, or folders, stand for; a name may be several.
std::vector<Bundle> open_named(const std::vector<std::string>& names);

/// Opens what finds blood: an ensemble that comes with ichdet or a folder or YAML file of one, or a bundle by its name
/// (`ichdet models list`) or folder; of several bundles the answers are averaged. Throws Error(options) for a bundle
/// that marks no blood, Error(weights) or Error(io) for one that cannot be opened, naming it.
AnyDetector open_detector(const std::vector<std::string>& names = {default_detector}, const OpenOptions& options = {});

}  // namespace ichdet
