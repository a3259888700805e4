#pragma once

#include <cstdint>
#include <span>

#include "ichdet/core/config.hpp"
#include "ichdet/evaluate/proportion.hpp"

namespace ichdet::evaluate {

/// How two ways of measuring differ (Bland and Altman, Lancet 1986, with the intervals of their 1999 paper).
struct BlandAltman {
  std::int64_t cases = 0;
  double bias = undefined;                ///< mean of measured - reference
  double standard_deviation = undefined;  ///< of the differences, n - 1; NaN of one case
  Interval limits;                        ///< of agreement: bias -+ z standard deviations
  Interval bias_interval;                 ///< by Student's t
  Interval low_limit_interval, high_limit_interval;
  double mean_absolute_error = undefined;
};

/// In the unit of the values. Throws Error(shape) where lengths differ, Error(options) where a value is not finite.
BlandAltman bland_altman(std::span<const double> measured, std::span<const double> reference, double confidence = 0.95);

}  // namespace ichdet::evaluate

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/evaluate/bland_altman_inl.hpp"
#endif
