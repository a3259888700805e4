#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "ichdet/aggregate/case_rules.hpp"
#include "ichdet/attribution/grad_cam.hpp"
#include "ichdet/bundle/bundle.hpp"
#include "ichdet/core/progress.hpp"
#include "ichdet/core/results.hpp"
#include "ichdet/core/slice_stack.hpp"
#include "ichdet/nn/prepare.hpp"
#include "ichdet/pipeline/member.hpp"
#include "ichdet/pipeline/skull_strip.hpp"
#include "ichdet/report/classification.hpp"

namespace ichdet {

struct ClassifierOptions {
  PrepareOptions network;        ///< Precision::automatic is float32
  std::int64_t batch = 1;        ///< slices per call of a network
  bool skip_empty = true;        ///< slices without head (slices_with_head) are given probability 0 and not computed
  std::optional<CaseRule> rule;  ///< in place of the bundle's
  std::optional<SkullStripper> skull_strip;  ///< of channels that show the brain alone; none: brain_mask
};

/// A slice classifier's bundle, or an ensemble of them whose probabilities are averaged, applied to studies: S1's
/// pipeline, and S2's slice detector and S3's classifiers. Load once, apply to many.
///
/// Its stages can be called alone: SliceImages reads a stack, `probabilities` asks the networks, `scores` does both,
/// decide() applies the case rule. Immutable; calls are const and may run from several threads at once.
class SliceClassifier {
 public:
  /// Throws Error(options) where there is no bundle, one is for another task, members differ in what they read or in
  /// classes, or an option is out of its range; Error(weights) where weights and architecture do not fit.
  explicit SliceClassifier(const std::vector<Bundle>& members, const ClassifierOptions& options = {});
  /// With networks of your own among them. Class activation maps need their features and head.
  explicit SliceClassifier(const std::vector<Member>& members, const ClassifierOptions& options = {});

  /// The first member's.
  const ModelSpec& spec() const noexcept;
  std::vector<BundleIdentity> identities() const;
  const CaseRule& rule() const noexcept;

  /// Images (image, channel, row, column), as SliceImages gives them, to (image, class), in [0, 1].
  at::Tensor probabilities(const at::Tensor& images) const;

  /// One score for each slice. `probability` is the sum over softmax classes that are blood, or the highest of such
  /// sigmoids.
  std::vector<SliceScore> scores(const SliceStack& stack, const Progress& progress = {}) const;

  /// The decision, the slices' scores, what was assumed, and how the networks were run. `trust` is refused where the
  /// bundle is untrained, the slices are not axial, or the scan's HU end below one of the model's windows.
  /// `slices`, ascending, are computed, the others are given probability 0; none: what skip_empty says. Error(options)
  /// where the stack has no such slice.
  StudyResult operator()(const SliceStack& stack, const Progress& progress = {},
                         const std::optional<std::vector<std::int64_t>>& slices = {}) const;

  /// What speaks for blood on these slices, through each member's forward_features and forward_head; of an ensemble
  /// the mean of its members' maps. S1's figures: aug_smooth and eigen_smooth.
  std::vector<SliceMap> heat_maps(const SliceStack& stack, std::span<const std::int64_t> slices,
                                  const attribution::CamOptions& options = {}, const Progress& progress = {}) const;

 private:
  struct State;
  std::shared_ptr<const State> state_;
};

}  // namespace ichdet
