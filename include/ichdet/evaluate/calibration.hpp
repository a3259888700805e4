#pragma once

#include <vector>

#include "ichdet/core/config.hpp"
#include "ichdet/evaluate/confusion.hpp"

namespace ichdet::evaluate {

/// Cases whose probability lies in (low, high]; the first bin holds 0 too.
struct ReliabilityBin {
  double low = 0, high = 0;
  Proportion observed;                  ///< positive cases
  double mean_probability = undefined;  ///< NaN in an empty bin
};

/// How probabilities compare with frequencies.
struct Calibration {
  double brier = undefined;           ///< mean squared difference of probability and truth
  double expected_error = undefined;  ///< ECE: mean of |frequency - mean probability| over the bins, by their cases
  double largest_error = undefined;   ///< MCE: the largest of them
  std::vector<ReliabilityBin> bins;
};

/// `bins` of equal width over [0, 1]. NaN without cases. Throws Error(shape) where lengths differ, Error(options) where
/// a probability is outside [0, 1] or there is no bin.
Calibration calibration(Labels truth, Scores probabilities, int bins = 10);

}  // namespace ichdet::evaluate

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/evaluate/calibration_inl.hpp"
#endif
