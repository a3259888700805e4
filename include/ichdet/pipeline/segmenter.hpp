#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "ichdet/bundle/bundle.hpp"
#include "ichdet/core/progress.hpp"
#include "ichdet/core/results.hpp"
#include "ichdet/core/volume.hpp"
#include "ichdet/nn/prepare.hpp"
#include "ichdet/pipeline/member.hpp"

namespace ichdet {

/// Which part of a scan a network is asked about; elsewhere is background.
enum class SearchRegion {
  head,   ///< the largest connected piece above the network's lowest HU limit, -200 HU at least: little but air, on
          ///< which a network's input is constant, lies beyond it
  brain,  ///< what brain_mask finds inside the skull: about half of the head, and a network's mistakes outside the
          ///< skull are left out; a mask that misses brain would hide blood
  everywhere,  ///< the whole scan, as the libraries do that published procedures were made with
};

/// Throws Error(options) that lists the names there are: head, brain, everywhere.
SearchRegion parse_search_region(const std::string& text);

struct SegmenterOptions {
  /// Precision::automatic is adaptive where the CPU multiplies bfloat16 in hardware (AMX), else float32.
  PrepareOptions network;
  SearchRegion region = SearchRegion::head;
  /// No patch answers more voxels than this: memory grows with it, and so does time saved. 0: the bundle's own patch.
  std::int64_t max_patch_voxels = 800'000;
  /// Adaptive: what bfloat16 finds less likely background than this is computed again in float32, with what is near.
  double clear_background = 0.8;
  /// Adaptive, of fixed patches that overlap: of those about a voxel that is not clear background, at least this share
  /// is computed again in float32. 1: all.
  double float32_share = 0.5;
};

/// What a segmenter found, and how.
struct Segmentation {
  ProbabilityMap probabilities;
  Inference inference;
  std::vector<std::string> assumptions;
};

/// The same without the classes' probabilities: five bytes for each voxel, however many classes there are.
struct Labelling {
  LabelMap labels;      ///< argmax() of the probabilities
  Array3<float> blood;  ///< sum of the probabilities of the classes that are blood, z y x
  Inference inference;
  std::vector<std::string> assumptions;
};

/// One segmentation network, or several whose answers are averaged, applied as their bundle says (ProcedureSpec,
/// docs/segmentation.md). Load once, apply to many.
///
/// Immutable; copies share the weights, and calls may run from several threads at once.
class Segmenter {
 public:
  /// Throws Error(weights) where a bundle's architecture is unknown or does not fit its weights, Error(options) where
  /// there is none, or where members differ in anything but architecture, weights and where they come from.
  explicit Segmenter(const std::vector<Bundle>& members, const SegmenterOptions& options = {});
  /// With networks of your own among them, which run in their own precision, whatever the options say.
  explicit Segmenter(const std::vector<Member>& members, const SegmenterOptions& options = {});

  /// The first member's.
  const ModelSpec& spec() const noexcept;
  std::vector<BundleIdentity> identities() const;

  /// Class probabilities on the volume's own grid, which has the bundle's spacing and runs along L, P, S.
  ///
  /// A network whose answer does not depend on the patch (PatchSpec::step) computes the cells of its step that meet the
  /// search region, in few large patches of them: in float32 every voxel equals what blast-ct 2.1.0 gives on the whole
  /// volume within 1e-4. Adaptive computes all cells in bfloat16, and in float32 again those with a voxel that is not
  /// clear background, or within 2 voxels of one.
  ///
  /// Any other network computes the patches of the bundle's size that meet the search region, blended as the bundle
  /// says. Adaptive computes each in bfloat16, and one with a voxel that is not clear background in float32 again,
  /// unless `float32_share` of the answers about each such voxel (in cells of 8 voxels) are in float32 already.
  ///
  /// Elsewhere background is certain. The members run one after another on each patch, and only their mean is kept;
  /// with a RescueSpec, a map for each of them. Throws Error(geometry) where the grid is none of the kind above,
  /// Error(limit) where no patch fits the memory ceiling, Error(cancelled) on request.
  Segmentation operator()(const Volume& volume, const Progress& progress = {}) const;

  /// The same bytes' labels and blood, in a fraction of the memory: no map of the classes is made (but by a rescue).
  Labelling label(const Volume& volume, const Progress& progress = {}) const;

 private:
  struct State;
  std::shared_ptr<const State> state_;
};

}  // namespace ichdet
