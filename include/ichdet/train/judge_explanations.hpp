#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "ichdet/attribution/method.hpp"
#include "ichdet/core/array.hpp"
#include "ichdet/core/progress.hpp"
#include "ichdet/evaluate/explanation_figures.hpp"
#include "ichdet/pipeline/slice_explainer.hpp"
#include "ichdet/train/manifest.hpp"
#include "ichdet/train/prepared.hpp"

namespace ichdet::train {

struct ExplanationJudgeOptions {
  std::vector<attribution::Method> methods;
  ExplainOptions explain;
  std::int64_t slices = 4;          ///< of a patient, spread evenly over those that count; 0: all
  std::optional<double> threshold;  ///< a slice counts that the model gives at least this; none: the bundle's
  double least_mm2 = 25;            ///< and whose reference mask is at least this large
  double tolerance_mm = 15;         ///< of pointing that is told as `near`
  bool curves = true;               ///< insertion, deletion, information: many questions to the model
  std::int64_t steps = 20;          ///< of insertion and deletion
  double blur = 1.0 / 16;           ///< sigma of what pixels are put into, as a share of the image's shorter side
  bool random_weights = true;       ///< compares maps with those of the network with random weights, on one slice of a
                                    ///< patient
  std::uint64_t seed = 0;           ///< of the random map and weights
};

/// One slice in the network's own image, and every method's map of it.
struct JudgedSlice {
  std::string study;
  std::int64_t slice = 0;
  double probability = 0;
  Array3<float> hu;  ///< (1, row, column), as all here
  Array3<std::uint8_t> mask;
  struct Map {
    std::string method;
    Array3<float> values;
  };
  std::vector<Map> maps;
};

struct JudgedExplanations {
  std::vector<evaluate::MapOutcome> outcomes;
  std::vector<evaluate::MethodFigures> figures;
  std::string target;  ///< the class or classes that are explained
  std::vector<BundleIdentity> bundles;
  double blurred = 0, blank = 0;         ///< mean probability of the slices with nothing of them left
  std::int64_t studies = 0, slices = 0;  ///< that were judged
  std::vector<std::string> notes;        ///< what was left out, a sentence each
};

/// Which method of attribution to trust on a classifier: maps of what speaks for blood on slices with blood that the
/// model finds, against the reference mask (evaluate/localisation.hpp), and by what the model says while the important
/// pixels are put into the blurred image, are blanked, or come into focus (attribution/score_curves.hpp,
/// information_curve.hpp; of the probability that there is blood).
///
/// Beside the methods there are maps that know nothing of the model, which its numbers are to be compared with:
/// `uniform` (what chance is), `random`, `head` (uniform within it), `middle` (a Gaussian about the head's centre, a
/// quarter of its size wide), `brightness` (HU), `brain` (HU within the brain mask), and `mask`, the reference itself.
///
/// `seen`, where given, is shown each slice. Reports "explain 3 of 17". Studies without mask or that cannot be read are
/// left out, with a note; throws Error(options) where no slice is left, and as SliceExplainer.
JudgedExplanations judge_explanations(const std::vector<Bundle>& members, const Dataset& dataset,
                                      const ExplanationJudgeOptions& options, const PreparationOptions& reading = {},
                                      const evaluate::BootstrapOptions& bootstrap = {}, const Progress& progress = {},
                                      const std::function<void(const JudgedSlice&)>& seen = {});

/// The same bundle with random weights, whose outputs depend on the input (make_untrained_bundle).
Bundle with_random_weights(const Bundle& bundle, std::uint64_t seed);

}  // namespace ichdet::train
