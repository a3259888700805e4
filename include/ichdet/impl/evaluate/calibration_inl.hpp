#pragma once

#include <algorithm>
#include <cmath>
#include <string>

#include "ichdet/core/error.hpp"
#include "ichdet/evaluate/calibration.hpp"
#include "ichdet/impl/evaluate/shared.hpp"

namespace ichdet::evaluate {

ICHDET_INLINE Calibration calibration(Labels truth, Scores probabilities, int bins) {
  detail::check_rows("probabilities", truth.size(), probabilities.size());
  detail::check_at_least("bins", 1, bins);
  Calibration result;
  for (int b = 0; b < bins; ++b) {
    ReliabilityBin bin;
    bin.low = double(b) / bins;
    bin.high = double(b + 1) / bins;
    result.bins.push_back(bin);
  }
  std::vector<double> sums(result.bins.size());
  double squares = 0;
  for (std::size_t i = 0; i < truth.size(); ++i) {
    const double p = probabilities[i], positive = truth[i] != 0 ? 1 : 0;
    if (!(p >= 0 && p <= 1)) {
      throw Error::mismatch(ErrorCode::options, "probabilities, row " + std::to_string(i), "0 to 1", std::to_string(p));
    }
    squares += (p - positive) * (p - positive);
    const auto bin = std::size_t(std::lower_bound(result.bins.begin(), result.bins.end() - 1, p,
                                                  [](const auto& b, double v) { return b.high < v; }) -
                                 result.bins.begin());
    sums[bin] += p;
    ++result.bins[bin].observed.trials;
    result.bins[bin].observed.successes += truth[i] != 0;
  }
  if (truth.empty()) return result;
  const auto n = double(truth.size());
  result.brier = squares / n;
  result.expected_error = result.largest_error = 0;
  for (std::size_t b = 0; b < sums.size(); ++b) {
    auto& bin = result.bins[b];
    if (bin.observed.trials == 0) continue;
    const auto cases = double(bin.observed.trials);
    bin.mean_probability = sums[b] / cases;
    const double error = std::abs(bin.observed.value() - bin.mean_probability);
    result.expected_error += error * cases / n;
    result.largest_error = std::max(result.largest_error, error);
  }
  return result;
}

}  // namespace ichdet::evaluate
