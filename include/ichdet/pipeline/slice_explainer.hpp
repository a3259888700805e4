#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "ichdet/aggregate/case_rules.hpp"
#include "ichdet/attribution/baseline.hpp"
#include "ichdet/attribution/blur_ig.hpp"
#include "ichdet/attribution/explained.hpp"
#include "ichdet/attribution/grad_cam.hpp"
#include "ichdet/attribution/gradients.hpp"
#include "ichdet/attribution/guided_ig.hpp"
#include "ichdet/attribution/integrated_gradients.hpp"
#include "ichdet/attribution/method.hpp"
#include "ichdet/attribution/occlusion.hpp"
#include "ichdet/attribution/rise.hpp"
#include "ichdet/attribution/xrai.hpp"
#include "ichdet/bundle/bundle.hpp"
#include "ichdet/core/progress.hpp"
#include "ichdet/core/slice_stack.hpp"
#include "ichdet/nn/prepare.hpp"
#include "ichdet/pipeline/member.hpp"
#include "ichdet/pipeline/skull_strip.hpp"
#include "ichdet/pipeline/slice_images.hpp"

namespace ichdet {

struct ExplainOptions {
  PrepareOptions network;             ///< Precision::automatic is float32
  std::int64_t batch = 1;             ///< images per call of a network; more took up to twice as long without AMX
  std::optional<std::string> target;  ///< the class whose logit is explained; none: those that are blood
  /// Where the paths of integrated gradients and guided IG begin, and what occlusion and RISE hide with.
  attribution::Baseline baseline = attribution::Baseline::black;
  bool completeness = true;  ///< asks for two more scores, to tell how far a path method's sum is off
  attribution::CamOptions cam;
  attribution::SmoothOptions smooth;
  attribution::IntegratedGradientsOptions path;  ///< integrated gradients, and XRAI's
  attribution::GuidedIgOptions guided_ig;
  attribution::BlurIgOptions blur_ig;
  attribution::XraiOptions xrai;  ///< but for its path and algorithm
  attribution::OcclusionOptions occlusion;
  attribution::RiseOptions rise;
  std::optional<SkullStripper> skull_strip;  ///< of channels that show the brain alone; none: brain_mask
};

/// What a slice classifier saw that speaks for its target.
struct SliceExplanation {
  std::int64_t slice = 0;
  double probability = 0;  ///< of the target, as the bundle's activation makes it of logits
  double score = 0;  ///< what is explained: the logit, or the sum of the logits of several classes; mean of members
  at::Tensor map;    ///< (row, column) of the network's image, float32: the higher, the more it speaks for it
  std::optional<attribution::XraiRegions> regions;  ///< of XRAI
  /// Of path methods: what the attributions sum to, and should: score(image) - score(where the path begins). Of XRAI
  /// the mean of both baselines.
  std::optional<double> sum, difference;
};

/// A slice classifier's bundle, or several whose scores are averaged, explained by any method of attribution/. Load
/// once, ask many times. Networks run prepared, their gradients too (prepare_gradient), each when a method first needs
/// it.
///
/// Maps of channels are made one: gradients by the sum of magnitudes, path methods by the sum, so that what speaks
/// against the target is negative; XRAI by the maximum, as it is published. Its baselines are black and white.
///
/// Immutable; calls are const and may run from several threads at once.
class SliceExplainer {
 public:
  /// Throws as SliceClassifier does, and Error(options) for a target that is no class.
  explicit SliceExplainer(const std::vector<Bundle>& members, const ExplainOptions& options = {});
  /// With networks of your own among them, whose gradients LibTorch's autograd takes.
  explicit SliceExplainer(const std::vector<Member>& members, const ExplainOptions& options = {});

  const ModelSpec& spec() const noexcept;
  std::vector<BundleIdentity> identities() const;
  /// The name of what is explained.
  std::string target() const;

  /// What the networks read of a stack.
  SliceImages images(const SliceStack& stack) const;
  /// Of one image (1, channel, row, column), as SliceImages gives it; `slice` stays 0.
  SliceExplanation operator()(const at::Tensor& image, attribution::Method method, const Progress& progress = {}) const;
  /// Of slices of the stack that `images` reads.
  std::vector<SliceExplanation> operator()(const SliceImages& images, std::span<const std::int64_t> slices,
                                           attribution::Method method, const Progress& progress = {}) const;
  std::vector<SliceExplanation> operator()(const SliceStack& stack, std::span<const std::int64_t> slices,
                                           attribution::Method method, const Progress& progress = {}) const;
  /// Scores and gradients, for methods of one's own.
  attribution::Explained explained() const;
  /// The target's probability as a score, without gradients.
  attribution::Explained likelihood() const;
  /// The first bundle's.
  const CaseRule& rule() const noexcept;

 private:
  struct State;
  std::shared_ptr<const State> state_;
};

/// The slice classifiers that names mean: bundles as open_named() finds them, or those of an ensemble. Throws
/// Error(options) where an ensemble has none.
std::vector<Bundle> open_classifiers(const std::vector<std::string>& names);

}  // namespace ichdet
