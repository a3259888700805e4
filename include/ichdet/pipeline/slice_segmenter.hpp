#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ichdet/aggregate/case_rules.hpp"
#include "ichdet/bundle/bundle.hpp"
#include "ichdet/core/progress.hpp"
#include "ichdet/core/results.hpp"
#include "ichdet/core/slice_stack.hpp"
#include "ichdet/nn/prepare.hpp"
#include "ichdet/pipeline/detector.hpp"
#include "ichdet/pipeline/member.hpp"
#include "ichdet/pipeline/skull_strip.hpp"

namespace ichdet {

struct SliceSegmenterOptions {
  PrepareOptions network;        ///< Precision::automatic is float32
  std::int64_t batch = 1;        ///< slices per call of a network
  bool skip_empty = true;        ///< slices without head (slices_with_head) are not computed: probability 0
  std::optional<CaseRule> rule;  ///< in place of the bundle's
  std::vector<double> weights;   ///< of the members, at least 0, scaled to sum 1; empty: the weight model's, else equal
  std::optional<SkullStripper> skull_strip;  ///< of channels that show the brain alone; none: brain_mask
  double min_lesion_ml = 0.1;  ///< smaller pieces of blood are not listed as lesions; their volume still counts
};

/// What the networks said about each pixel, before anything is measured.
struct SliceReading {
  StudyResult result;   ///< bundles, trust, assumptions, times and how the networks were run; no findings
  Array3<float> blood;  ///< probability: slice, row, column
  std::vector<std::vector<double>> weights;  ///< of each member on each slice; of slices not computed empty
};

/// What a study showed, pixel by pixel of its own slices.
struct SliceSegmentation {
  /// Labels are 1 where the probability is above `thresholds.pixel`; of `grid_labels` on the slices' nominal grid too.
  Detection detection;
  Array3<float> blood;                       ///< probability: slice, row, column
  std::vector<std::vector<double>> weights;  ///< of each member on each slice; of slices not computed empty
};

/// S3's procedure: 2D networks segment each native slice (SliceImages: windows and skull-stripped brain), their maps
/// are weighted and summed, and the result is the slice's map of blood. Weights are those of the options; or of a
/// weight model, which reads the maps and weighs the members anew on each slice; or equal.
///
/// A slice's probability is its map's maximum, a pixel is blood above `thresholds.pixel` of the first bundle (none:
/// 0.5), and the case follows by the rule: the paper's own equation from slices to case is not public. Calibration is
/// the first bundle's; studies between 0.4 and 0.6 are flagged for review.
///
/// Immutable; calls are const and may run from several threads at once.
class SliceSegmenter {
 public:
  /// Throws Error(options) where there is no member, one is for another task, members differ in what they read, in
  /// classes or do not tell exactly one class of blood, weights are not one for each member, or an option is out of its
  /// range; Error(weights) where weights and architecture do not fit.
  explicit SliceSegmenter(const std::vector<Bundle>& members, const std::optional<Bundle>& weight_model = std::nullopt,
                          const SliceSegmenterOptions& options = {});
  /// With networks of your own among them.
  explicit SliceSegmenter(const std::vector<Member>& members, const std::optional<Bundle>& weight_model = std::nullopt,
                          const SliceSegmenterOptions& options = {});

  /// The first member's.
  const ModelSpec& spec() const noexcept;
  std::vector<BundleIdentity> identities() const;  ///< the weight model's last
  const CaseRule& rule() const noexcept;
  /// Of the one class that is blood.
  const std::string& blood_name() const noexcept;

  /// Images (image, channel, row, column), as SliceImages gives them, to each member's map: (image, member, row,
  /// column), in [0, 1].
  at::Tensor maps(const at::Tensor& images) const;
  /// Maps to the members' weights: (image, member), each row's sum 1.
  at::Tensor weights(const at::Tensor& maps) const;

  /// `slices`, ascending, are computed, the others are given probability 0; none: what skip_empty says. Error(options)
  /// where the stack has no such slice.
  SliceReading read(const SliceStack& stack, const Progress& progress = {},
                    const std::optional<std::vector<std::int64_t>>& slices = {}) const;
  SliceSegmentation operator()(const SliceStack& stack, const Progress& progress = {}) const;

 private:
  struct State;
  std::shared_ptr<const State> state_;
};

}  // namespace ichdet
