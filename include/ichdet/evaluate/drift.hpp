#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ichdet/core/config.hpp"
#include "ichdet/evaluate/two_samples.hpp"

namespace ichdet::evaluate {

/// What a model said about a study, as far as drift shows in it.
struct StudyScores {
  std::string study;
  double probability = 0;
  bool positive = false;
  double volume_ml = undefined;  ///< of blood; NaN: the model measures none
  std::vector<double> slices;    ///< probability of each slice that was asked about
};

enum class Drift { none, watch, drift };

/// One quantity of the reference's studies against the new ones'.
struct QuantityDrift {
  std::string name;  ///< "study probability", "volume_ml", "slice probability"
  std::vector<double> reference, found;
  StabilityIndex stability;
  KolmogorovSmirnov test;  ///< of slices: by 2,000 random exchanges of whole studies, since a study's slices are alike
  Drift verdict = Drift::none;
};

struct DriftReport {
  std::int64_t reference_studies = 0, studies = 0;
  Proportion reference_positive, positive;  ///< studies that were called positive
  Interval reference_interval, interval;    ///< Wilson's, 95 %
  double positive_p = undefined;            ///< Fisher's exact test of equal rates, two-sided
  std::vector<QuantityDrift> quantities;
  Drift verdict = Drift::none;     ///< the worst of all
  std::vector<std::string> words;  ///< what was seen, a sentence each
};

/// Compares new studies with the validation set's. A quantity drifts where its stability index exceeds what chance
/// gives by 0.25 and p < 0.01; it is watched where the index exceeds it by 0.1 and p < 0.05. The rate of positive
/// studies drifts at p < 0.01 and is watched below 0.05. `seed` draws the exchanges. Throws Error(shape) where either
/// has no study.
DriftReport drift(const std::vector<StudyScores>& reference, const std::vector<StudyScores>& found,
                  std::uint64_t seed = 0);

}  // namespace ichdet::evaluate

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/evaluate/drift_inl.hpp"
#endif
