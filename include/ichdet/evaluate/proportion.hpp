#pragma once

#include <cstdint>
#include <limits>

#include "ichdet/core/config.hpp"

namespace ichdet::evaluate {

/// What is returned where a figure is not defined, as 0 / 0: never 0 in silence.
inline constexpr double undefined = std::numeric_limits<double>::quiet_NaN();

struct Interval {
  double low = undefined;
  double high = undefined;
};

/// `successes` of `trials`.
struct Proportion {
  std::int64_t successes = 0;
  std::int64_t trials = 0;

  /// NaN without trials.
  double value() const noexcept { return trials > 0 ? double(successes) / double(trials) : undefined; }
};

/// The exact binomial interval (Clopper and Pearson, Biometrika 1934): its coverage is at least `confidence`. Ends are
/// 0 without and 1 with nothing but successes; both NaN without trials. The trials must be independent: slices of one
/// patient are not (see bootstrap.hpp). Throws Error(options) unless 0 <= successes <= trials and 0 < confidence < 1.
Interval clopper_pearson(const Proportion& proportion, double confidence = 0.95);

/// Wilson's score interval (JASA 1927), without continuity correction: its coverage is close to `confidence` on
/// average. NaN without trials. Throws as above.
Interval wilson(const Proportion& proportion, double confidence = 0.95);

}  // namespace ichdet::evaluate

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/evaluate/proportion_inl.hpp"
#endif
