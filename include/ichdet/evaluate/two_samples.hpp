#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ichdet/core/config.hpp"
#include "ichdet/evaluate/proportion.hpp"

namespace ichdet::evaluate {

/// Kolmogorov and Smirnov's test of two samples, two-sided.
struct KolmogorovSmirnov {
  double statistic = undefined;  ///< the largest distance of the two distribution functions
  double p_value = undefined;
};

/// The p-value is exact, as if no values were equal (with ties it is too high, which is careful), by the paths of
/// Hodges (1957) in O(n m); above 4e8 for n m the limiting distribution's. As scipy.stats.ks_2samp to 10,000 values.
/// NaN where a sample is empty. Throws Error(options) where a value is NaN.
KolmogorovSmirnov kolmogorov_smirnov(std::span<const double> a, std::span<const double> b);

/// How two samples fill the same bins: sum of (b - a) ln(b / a) over the parts a and b of each in a bin. Bins are the
/// reference's quantiles (equal ones merged), open at the ends; an empty bin counts half a case. By convention below
/// 0.1 is stable, above 0.25 a shift.
struct StabilityIndex {
  double value = undefined;
  double expected = undefined;  ///< of two samples of these sizes from one distribution: about (bins - 1)(1/n + 1/m)
  std::vector<double> edges;    ///< between the bins, ascending
  std::vector<std::int64_t> reference, found;  ///< cases in each bin
};

/// NaN where a sample is empty. Throws Error(options) where bins < 2 or a value is NaN.
StabilityIndex population_stability(std::span<const double> reference, std::span<const double> found, int bins = 10);

/// Fisher's exact test of a 2 x 2 table of two rates, two-sided, as scipy.stats.fisher_exact; NaN without trials in
/// either.
double fisher_exact(const Proportion& a, const Proportion& b);

}  // namespace ichdet::evaluate

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/evaluate/two_samples_inl.hpp"
#endif
