#pragma once

#include <cmath>
#include <string>

#include "ichdet/core/error.hpp"
#include "ichdet/evaluate/bland_altman.hpp"
#include "ichdet/evaluate/special.hpp"
#include "ichdet/impl/evaluate/shared.hpp"

namespace ichdet::evaluate {

ICHDET_INLINE BlandAltman bland_altman(std::span<const double> measured, std::span<const double> reference,
                                       double confidence) {
  detail::check_rows("measured", reference.size(), measured.size());
  const double tail = detail::tail_of(confidence), z = -normal_quantile(tail);
  BlandAltman result;
  result.cases = std::int64_t(measured.size());
  if (measured.empty()) return result;
  const auto n = double(measured.size());
  double sum = 0, absolute = 0, squares = 0;
  for (std::size_t i = 0; i < measured.size(); ++i) {
    const double difference = measured[i] - reference[i];
    if (!std::isfinite(difference)) {
      throw Error::mismatch(ErrorCode::options, "volumes, row " + std::to_string(i), "finite numbers",
                            std::to_string(measured[i]) + " and " + std::to_string(reference[i]));
    }
    sum += difference;
    absolute += std::abs(difference);
  }
  result.bias = sum / n;
  result.mean_absolute_error = absolute / n;
  if (measured.size() < 2) return result;
  for (std::size_t i = 0; i < measured.size(); ++i) {
    const double off = measured[i] - reference[i] - result.bias;
    squares += off * off;
  }
  const double sd = std::sqrt(squares / (n - 1)), t = student_t_quantile(1 - tail, n - 1);
  const auto around = [](double centre, double half) { return Interval{centre - half, centre + half}; };
  result.standard_deviation = sd;
  result.limits = around(result.bias, z * sd);
  result.bias_interval = around(result.bias, t * sd / std::sqrt(n));
  const double half = t * sd * std::sqrt(1 / n + z * z / (2 * (n - 1)));
  result.low_limit_interval = around(result.limits.low, half);
  result.high_limit_interval = around(result.limits.high, half);
  return result;
}

}  // namespace ichdet::evaluate
