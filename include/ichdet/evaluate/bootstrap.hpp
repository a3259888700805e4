#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "ichdet/core/config.hpp"
#include "ichdet/core/progress.hpp"
#include "ichdet/evaluate/proportion.hpp"

namespace ichdet::evaluate {

struct BootstrapOptions {
  std::int64_t resamples = 2000;
  std::uint64_t seed = 0;
  double confidence = 0.95;
  int threads = 0;  ///< 0: as many as the machine has; the result does not depend on it
  Progress progress;
};

struct BootstrapInterval {
  Interval interval;            ///< percentiles, interpolated linearly; NaN where every resample was degenerate
  double standard_error = 0;    ///< standard deviation over the resamples; NaN with fewer than two
  std::int64_t resamples = 0;   ///< that gave a value
  std::int64_t degenerate = 0;  ///< that did not: the statistic was NaN, as an AUC is without positive cases
};

/// Fills `values` from how often each row was drawn. Called from several threads at once.
using Statistics = std::function<void(std::span<const std::uint32_t> multiplicity, std::span<double> values)>;

/// The percentile bootstrap by patient: each resample draws as many patients as there are, with replacement, each with
/// all of its rows. `patient_of_row` numbers them from 0; every number below the highest should occur. Resample i is
/// drawn by its own generator (64-bit Mersenne twister, seeded with `seed` and i), so that the same seed gives the same
/// resamples on any number of threads and any machine.
///
/// Returns an interval for each of the `count` statistics; degenerate resamples are left out of it, and counted.
/// Throws Error(options) where options are out of range (resamples >= 1, 0 < confidence < 1) or a patient is negative,
/// Error(shape) without rows, Error(cancelled).
std::vector<BootstrapInterval> bootstrap(std::span<const std::int32_t> patient_of_row, std::size_t count,
                                         const Statistics& statistics, const BootstrapOptions& options = {});

/// The quantile `q` in [0, 1] of values in ascending order, interpolated linearly as numpy.quantile does; NaN of none.
double sorted_quantile(std::span<const double> ascending, double q) noexcept;

}  // namespace ichdet::evaluate

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/evaluate/bootstrap_inl.hpp"
#endif
