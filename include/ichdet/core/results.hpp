#pragma once

#include <Eigen/Core>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace ichdet {

/// How likely it is that one slice shows blood.
struct SliceScore {
  std::int64_t index = 0;  ///< in the stack, 0 the first along the normal
  double z_mm = 0;         ///< LPS z of the slice's centre
  double probability = 0;  ///< in [0, 1]
  std::string sop_instance_uid;
  bool computed = true;  ///< false: the slice shows no head, so no network was asked, and `probability` is 0
  std::vector<double> classes =
      {};  ///< probability of each of StudyResult::classes; empty where a slice has no such answer
  std::optional<double> raw_probability = {};  ///< before calibration, where there was one
};

/// What the slices say about the patient.
struct PatientDecision {
  bool positive = false;
  double probability = 0;   ///< in [0, 1]
  bool calibrated = false;  ///< whether `probability` was fitted to observed frequencies
  std::string rule;         ///< how it was reached, in words
  double threshold = 0.5;   ///< from this probability on a slice or the study counts as positive
  /// Of classifiers and calibrated detectors: a slice above it is positive. Classifiers exceed both (CaseRule).
  std::optional<double> slice_threshold = {};
  std::optional<double> raw_probability = {};  ///< before calibration, where there was one
};

/// One connected piece of one label.
struct Lesion {
  std::string label;
  double volume_ml = 0;
  double diameter_mm = 0;  ///< longest distance between two of its voxels' centres, plus one voxel
  Eigen::Vector3d centroid_mm = Eigen::Vector3d::Zero();  ///< LPS
  std::vector<std::int64_t> slices;                       ///< indices of the native slices that show it, ascending
  double confidence = 0;                                  ///< mean blood probability over its voxels
  bool calibrated = false;
  std::optional<double> raw_confidence = {};  ///< before calibration, where there was one
};

/// Whether the input was something the model may be trusted on.
struct Trust {
  bool ok = true;
  std::vector<std::string> reasons;
};

/// Which weights gave the result.
struct BundleIdentity {
  std::string name, version, sha256;
};

/// How the networks were run.
struct Inference {
  std::string engine, form;  ///< "native", "DeepMedic on AMX tiles ..."
  std::string precision;     ///< float32, bfloat16 or adaptive
  std::string reason;        ///< why another engine ran than the one asked for, else empty
  int threads = 0;
  double prepare_s = 0;              ///< part of the time that later calls with the same shapes do not need again
  std::int64_t voxels = 0;           ///< that networks answered, of the model's grid; of classifiers: input pixels
  std::int64_t float32_again = 0;    ///< of these, by adaptive precision, in float32 too
  std::int64_t patches = 0;          ///< of segmenters: how many the volume was asked about in
  std::int64_t patches_skipped = 0;  ///< of fixed patches: those that would have shown nothing of the search region
};

/// Everything that was found in one study.
struct StudyResult {
  std::string version;  ///< of ichdet
  PatientDecision decision;
  std::map<int, std::string> labels;         ///< value in the label map -> name, background left out
  std::vector<int> blood_labels;             ///< those of them that count as hemorrhage; empty: all of them do
  std::map<std::string, double> volumes_ml;  ///< label -> volume
  std::vector<Lesion> lesions;               ///< largest first
  std::vector<SliceScore> slices;
  std::vector<std::string> classes;         ///< what a classifier tells apart, in its order; empty for segmenters
  std::vector<double> class_probabilities;  ///< of each of them in the whole study, where the network reads it whole
  std::vector<std::string> assumptions;
  Trust trust;
  std::vector<std::string> review;  ///< why a person should look again at what was found, one sentence each
  Inference inference;
  std::vector<BundleIdentity> bundles;                    ///< the members of the ensemble, in order
  std::vector<std::pair<std::string, double>> timings_s;  ///< stage -> seconds, in order
};

}  // namespace ichdet
