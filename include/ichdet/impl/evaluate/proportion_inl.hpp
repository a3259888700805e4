#pragma once

#include <algorithm>
#include <cmath>
#include <string>

#include "ichdet/core/error.hpp"
#include "ichdet/evaluate/proportion.hpp"
#include "ichdet/evaluate/special.hpp"
#include "ichdet/impl/evaluate/shared.hpp"

namespace ichdet::evaluate {

namespace detail {

ICHDET_INLINE void check_proportion(const Proportion& p) {
  if (0 <= p.successes && p.successes <= p.trials) return;
  throw Error::mismatch(ErrorCode::options, "proportion", "0 <= successes <= trials",
                        std::to_string(p.successes) + " of " + std::to_string(p.trials));
}

}  // namespace detail

ICHDET_INLINE Interval clopper_pearson(const Proportion& proportion, double confidence) {
  detail::check_proportion(proportion);
  const double tail = detail::tail_of(confidence);
  const auto k = double(proportion.successes), n = double(proportion.trials);
  if (n == 0) return {};
  return {k == 0 ? 0 : incomplete_beta_inverse(k, n - k + 1, tail),
          k == n ? 1 : incomplete_beta_inverse(k + 1, n - k, 1 - tail)};
}

ICHDET_INLINE Interval wilson(const Proportion& proportion, double confidence) {
  detail::check_proportion(proportion);
  const double z = -normal_quantile(detail::tail_of(confidence));
  const auto n = double(proportion.trials);
  if (n == 0) return {};
  const double p = proportion.value(), shrink = 1 + z * z / n;
  const double centre = (p + z * z / (2 * n)) / shrink;
  const double half = z / shrink * std::sqrt(p * (1 - p) / n + z * z / (4 * n * n));
  return {p == 0 ? 0 : std::max(0.0, centre - half), p == 1 ? 1 : std::min(1.0, centre + half)};
}

}  // namespace ichdet::evaluate
