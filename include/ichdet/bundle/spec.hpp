#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "ichdet/aggregate/case_rules.hpp"
#include "ichdet/bundle/procedure.hpp"
#include "ichdet/core/results.hpp"
#include "ichdet/ensemble/calibrator.hpp"
#include "ichdet/preprocess/window_mix.hpp"

namespace ichdet {

/// What a network answers: which tissue each voxel is; whether each slice shows blood, or the same of a whole exam;
/// which tissue each pixel of a slice is; how much the maps of such networks weigh; where the brain is, on a grid of
/// its own that holds the whole head.
enum class Task {
  segmentation,
  slice_classification,
  exam_classification,
  slice_segmentation,
  map_weights,
  brain_extraction
};
/// "segmentation", "slice classification", "exam classification", "slice segmentation", "map weights", "brain
/// extraction".
std::string to_string(Task task);

/// One output of a model.
struct ClassSpec {
  std::string name;
  bool blood = false;  ///< counts as hemorrhage; of sigmoids, decides about it
};

/// One input channel: Hounsfield units clipped to [low, high] and mapped linearly onto [to_low, to_high], (of a
/// classifier to 8 bits,) then to (x - mean) / std.
struct ChannelSpec {
  double low_hu = 0, high_hu = 0;
  double to_low = 0, to_high = 1;
  double mean = 0, std = 1;
  std::int64_t slice = 0;  ///< of a neighbour: 1 the next one along the normal; at the ends the outermost is repeated
  bool brain = false;      ///< skull-stripped: `low_hu` outside the brain
  /// Of a classifier: in place of one window, a weighted sum of several (mix_windows), all within [low, high]. May be
  /// empty.
  std::vector<WeightedWindow> mix;
};

/// How a slice becomes a classifier's image.
struct ImageSpec {
  enum class Fit {
    resize,  ///< resized to the largest size that fits, pixels staying square, then padded with air
    crop,    ///< a part of this size, padded with air where the slice is smaller
  };
  enum class Centre {
    image,  ///< of the slice
    head,   ///< of the box around the study's head (upright_view); of the slice where none is seen
  };
  std::array<std::int64_t, 2> size{};  ///< rows, columns
  Fit fit = Fit::resize;
  double spacing_mm = 0;           ///< of `crop`: the slice is resized to such pixels first; 0: as acquired
  Centre centre = Centre::image;   ///< of `crop`: of the part
  std::optional<Rounding> levels;  ///< windows to 0..255 and back, as in a PNG file; none: they stay float
  /// HU are clipped to [low, high] before they are resized, as in a training set that was stored so.
  std::optional<std::array<double, 2>> clip_hu;
  /// Thinner slices are averaged over this thickness along the normal, and a neighbour is the slice nearest to this
  /// distance; 0: slices as they are, neighbours the next ones.
  double slice_mm = 0;
  std::int64_t exam_slices = 0;  ///< of exam classifiers: interpolated between the first and the last slice
};

enum class Activation { softmax, sigmoid };

/// The order of a segmentation network's three spatial axes.
enum class AxisOrder { zyx, xyz };

/// Where weights came from.
struct ProvenanceSpec {
  std::string source, authors, citation, converted_by;
  std::map<std::string, std::string> files;  ///< published file -> SHA-256
  std::optional<BundleIdentity> parent;      ///< what its training began with
  std::string split_sha256;                  ///< of the file that says which patients it was trained on; may be empty
};

/// Everything a set of weights needs to be used right: what `bundle.json` says.
struct ModelSpec {
  static constexpr int schema = 1;

  std::string name, version;
  Task task = Task::segmentation;
  bool untrained = false;              ///< its weights are random numbers: no result means anything
  std::string architecture;            ///< a name that ichdet knows, such as "DeepMedic"
  nlohmann::json options;              ///< the architecture's own, an object
  std::array<double, 3> spacing_mm{};  ///< x, y, z
  std::string orientation;             ///< "LPS": x, y, z run to the patient's left, back and head
  AxisOrder axes = AxisOrder::zyx;     ///< of segmenters, with the patch and the procedure
  std::vector<ChannelSpec> channels;
  std::vector<ClassSpec> classes;  ///< of segmenters, class 0 is background; of map weights, the networks weighed
  PatchSpec patch;
  ProcedureSpec procedure;
  ImageSpec image;  ///< of classifiers and slice segmenters, with the three fields below
  Activation activation = Activation::softmax;
  CaseRule rule;                             ///< of exam classifiers only `case_threshold` counts
  std::map<std::string, double> thresholds;  ///< by class or purpose ("study"); empty: argmax
  ensemble::Calibration calibration;         ///< where empty, probabilities are not calibrated
  ProvenanceSpec provenance;
  std::string licence;       ///< SPDX expression
  std::string licence_file;  ///< in the bundle
  bool not_for_clinical_use = true;
  std::string training_data;
  nlohmann::json metrics;
  std::string weights_file;  ///< in the bundle
  std::string weights_sha256;
};

/// Throws Error(options) that names the bundle and both tasks, unless the model is for `task`.
void require_task(const ModelSpec& model, Task task);

/// Reads and validates. Unknown keys are refused, and so is what belongs to another task. Throws Error(weights) whose
/// message starts with `subject` and names the JSON path, what was expected and what was found.
ModelSpec parse_spec(const nlohmann::json& json, const std::string& subject);

}  // namespace ichdet
