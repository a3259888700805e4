#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ichdet/bundle/ensemble_spec.hpp"
#include "ichdet/pipeline/detector.hpp"
#include "ichdet/pipeline/member.hpp"
#include "ichdet/pipeline/slice_classifier.hpp"

namespace ichdet {

/// Networks of one's own by the name that an ensemble's member has; of several the answers are averaged.
using OwnMembers = std::map<std::string, std::vector<Member>>;

/// Several models of any spacing, classes and kind, applied to studies as one. Load once, apply to many.
///
/// Each segmenter answers on its own grid, one of slices on the native slices; its classes become the ensemble's by
/// name. Slice by slice the members' probabilities are then read at the pixels of the native slices (linear) and
/// combined there, a slab at a time, so that no more than the members' own maps are held. With EnsembleSpec::slices a
/// slice's probability follows from what the members say about it, and the map of an unlikely slice fades; without, and
/// where there are slice classifiers, every class but background is multiplied by their mean probability of the slice.
/// Labels are the likeliest classes of the native pixels; everything else is measured as Detector does. A slice that is
/// found positive, and where nothing is outlined, is flagged for review.
///
/// Immutable; a call is const and may run from several threads at once.
class EnsembleDetector {
 public:
  /// Opens the members' bundles, but for those that `own` has. Of `classifier`, `rule` is not used. Of `options`, `review` is the ensemble's own.
  /// Throws Error(options) that names the member: one of another kind than it says or than those above, a class that
  /// the ensemble does not have, a class that no member answers; where there is no segmenter; and with STAPLE, where
  /// a segmenter does not answer all classes.
  explicit EnsembleDetector(EnsembleSpec spec, const SegmenterOptions& segmenter = {},
                            const ClassifierOptions& classifier = {}, DetectorOptions options = {},
                            const OwnMembers& own = {});

  const EnsembleSpec& spec() const noexcept;
  Detection operator()(const SliceStack& stack, const Progress& progress = {}) const;

 private:
  struct State;
  std::shared_ptr<const State> state_;
};

}  // namespace ichdet
