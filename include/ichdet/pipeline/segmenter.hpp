#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "ichdet/bundle/bundle.hpp"
#include "ichdet/core/progress.hpp"
#include "ichdet/core/results.hpp"
#include "ichdet/core/volume.hpp"
#include "ichdet/nn/prepare.hpp"
#include "ichdet/nn/sliding_window.hpp"

namespace ichdet {

struct SegmenterOptions {
  PrepareOptions network;
  /// No patch answers more voxels than this: memory grows with it, and so does time saved. 0: the bundle's own patch.
  std::int64_t max_patch_voxels = 800'000;
};

/// One segmentation network, or several whose probabilities are averaged. Load once, apply to many.
///
/// Immutable; copies share the weights, and calls may run from several threads at once.
class Segmenter {
 public:
  /// Throws Error(weights) where a bundle's architecture is unknown or does not fit its weights, Error(options) where
  /// there is none, or where members differ in classes, spacing, channels or patches.
  explicit Segmenter(const std::vector<Bundle>& members, const SegmenterOptions& options = {});

  /// The first member's.
  const ModelSpec& spec() const noexcept;
  std::vector<BundleIdentity> identities() const;

  /// Class probabilities on the volume's own grid, which has the bundle's spacing and runs along L, P, S.
  ///
  /// Computed in the head's box (`head_box`), grown to multiples of the bundle's patch step; background is certain
  /// elsewhere. Every computed voxel equals what blast-ct 2.1.0 gives on the whole volume within 1e-4. The members run
  /// one after another on each patch, and their probabilities are averaged; only the average is kept.
  /// Throws Error(geometry) where the grid is none of the kind above, Error(cancelled) on request.
  ProbabilityMap operator()(const Volume& volume, const Progress& progress = {}) const;

 private:
  struct State;
  std::shared_ptr<const State> state_;
};

/// The box of the largest connected piece of what is denser than `above_hu`; the whole volume where nothing is.
///
/// A network that clips its input at `above_hu` sees a constant outside of it and of what the piece does not touch:
/// table, head rest.
Box head_box(const Volume& volume, double above_hu);

}  // namespace ichdet
