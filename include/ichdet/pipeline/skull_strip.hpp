#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ichdet/bundle/bundle.hpp"
#include "ichdet/core/progress.hpp"
#include "ichdet/core/volume.hpp"
#include "ichdet/pipeline/segmenter.hpp"
#include "ichdet/preprocess/masks.hpp"

namespace ichdet {

/// What takes the brain out of the head.
enum class StripEngine {
  classical,  ///< brain_mask: thresholds and morphology, no weights
  unet3d,     ///< a segmentation bundle with a class named "brain": the shipped one, "brain", or another
  mindgrab,   ///< MindGrab, and around it what brainchop does
};
/// Throws Error(options) that lists the names there are: classical, unet3d, mindgrab.
StripEngine parse_strip_engine(const std::string& text);
std::string to_string(StripEngine engine);

struct SkullStripOptions {
  StripEngine engine = StripEngine::classical;
  std::optional<Bundle> bundle;  ///< of mindgrab, and of unet3d in place of the shipped one
  BrainMaskOptions classical;
  SegmenterOptions segmenter;  ///< of unet3d
  int threads = 0;             ///< 0: as many as the machine has
};

struct BrainMask {
  Array3<std::uint8_t> mask;             ///< on the volume's grid, 1 in the brain
  std::string engine;                    ///< as to_string gives it
  std::vector<BundleIdentity> bundles;   ///< none for classical
  std::vector<std::string> assumptions;  ///< sentences
};

/// Finds the brain on a head CT. Load once, apply to many; immutable, copies share the weights.
///
/// mindgrab follows brainchop-cli with `--ct` (docs/skull_strip.md lists every step and what differs): HU to Cormack
/// units, 0 to 255 by niimath's robust range, 256 x 256 x 256 voxels of 1 mm along L, I, A around the volume's centre,
/// values between their 2 % and 98 % quantiles, the network, the likelier class, its largest piece over corners; then
/// the nearest voxel on the volume's own grid. A scan without air or bone (phe_sich) is taken as it is, without Cormack
/// units. unet3d: the segmenter on the bundle's own grid, its probability interpolated linearly, 0.5 and more, the
/// largest piece.
class SkullStripper {
 public:
  /// Throws Error(options) where the engine needs a bundle and there is none, or it is for something else,
  /// Error(weights) where it cannot be loaded.
  explicit SkullStripper(SkullStripOptions options = {});

  /// The volume may lie in any direction and have any spacing. Throws Error(cancelled) on request.
  BrainMask operator()(const Volume& volume, const Progress& progress = {}) const;

 private:
  struct State;
  std::shared_ptr<const State> state_;
};

/// The same in one call.
BrainMask skull_strip(const Volume& volume, const SkullStripOptions& options = {}, const Progress& progress = {});

}  // namespace ichdet
