#pragma once

#include <cmath>
#include <cstdio>
#include <limits>
#include <numbers>
#include <string>

#include "ichdet/core/error.hpp"
#include "ichdet/evaluate/special.hpp"

namespace ichdet::evaluate {

namespace detail {

ICHDET_INLINE void require_in(const char* subject, double value, double low, double high, const char* expected) {
  if (value >= low && value <= high) return;
  char found[32];
  std::snprintf(found, sizeof found, "%g", value);
  throw Error::mismatch(ErrorCode::options, subject, expected, found);
}

/// ln Gamma(z) less Stirling's approximation (z - 1/2) ln z - z + ln(2 pi) / 2.
ICHDET_INLINE double stirling_error(double z) {
  double sum = 0;
  for (; z < 16; z += 1) sum += (z + 0.5) * std::log1p(1 / z) - 1;
  const double r = 1 / (z * z);
  return sum + (1.0 / 12 - r * (1.0 / 360 - r * (1.0 / 1260 - r * (1.0 / 1680 - r / 1188)))) / z;
}

/// x ln(x / m) + m - x, without cancellation where x is close to m.
ICHDET_INLINE double deviance(double x, double m) {
  const double v = (x - m) / (x + m);
  if (std::abs(v) > 0.1) return x * std::log(x / m) + m - x;
  double sum = (x - m) * v, term = 2 * x * v;
  for (int j = 3; j < 100; j += 2) {  // a hundredth or less each time
    term *= v * v;
    const double next = sum + term / j;
    if (next == sum) break;
    sum = next;
  }
  return sum;
}

/// x^a y^b / B(a, b), where y is 1 - x.
ICHDET_INLINE double beta_power(double a, double b, double x, double y) {
  const double n = a + b;
  return std::sqrt(a * b / (2 * std::numbers::pi * n)) *
         std::exp(stirling_error(n) - stirling_error(a) - stirling_error(b) - deviance(a, n * x) - deviance(b, n * y));
}

/// x^a y^b / B(a, b) over I_x(a, b), for x up to the mean, where the fraction converges. None of its terms cancels.
ICHDET_INLINE double beta_fraction(double a, double b, double x, double y) {
  const double excess = a * y - b * x;
  double value = a * (excess + 1) / (a + 1), c = value, d = 0;
  for (int n = 1; n < 1000000; ++n) {
    const double s = a + 2 * n - 1;
    const double numerator = (a + n - 1) * (a + b + n - 1) * n * (b - n) * x * x / (s * s);
    const double denominator = n + n * (b - n) * x / s + (a + n) * (excess + 1 + n * (1 + y)) / (s + 2);
    d = 1 / (denominator + numerator * d);
    c = denominator + numerator / c;
    value *= c * d;
    if (std::abs(c * d - 1) <= 2 * std::numeric_limits<double>::epsilon()) break;
  }
  return value;
}

ICHDET_INLINE void check_shapes(double a, double b) {
  constexpr double low = std::numeric_limits<double>::min(), high = 1e15;
  require_in("incomplete beta, a", a, low, high, "a number above 0, up to 1e15");
  require_in("incomplete beta, b", b, low, high, "a number above 0, up to 1e15");
}

}  // namespace detail

ICHDET_INLINE double incomplete_beta(double a, double b, double x) {
  detail::check_shapes(a, b);
  detail::require_in("incomplete beta, x", x, 0, 1, "0 to 1");
  if (x == 0 || x == 1) return x;
  const double y = 1 - x, power = detail::beta_power(a, b, x, y);
  if (a * y >= b * x) return power / detail::beta_fraction(a, b, x, y);
  return 1 - power / detail::beta_fraction(b, a, y, x);
}

ICHDET_INLINE double incomplete_beta_inverse(double a, double b, double p) {
  detail::check_shapes(a, b);
  detail::require_in("incomplete beta, p", p, 0, 1, "0 to 1");
  if (p == 0 || p == 1) return p;
  // Newton's steps, halved intervals where one would leave the bracket.
  double low = 0, high = 1, x = a / (a + b);
  for (int step = 0; step < 300; ++step) {
    const double excess = incomplete_beta(a, b, x) - p;
    if (excess == 0) return x;
    (excess < 0 ? low : high) = x;
    double next = x - excess * x * (1 - x) / detail::beta_power(a, b, x, 1 - x);
    if (!(next > low && next < high)) next = low == 0 ? high / 16 : (low + high) / 2;
    if (std::abs(next - x) <= std::numeric_limits<double>::epsilon() * x) return next;
    x = next;
  }
  return x;
}

ICHDET_INLINE double normal_cdf(double z) { return std::erfc(-z / std::numbers::sqrt2) / 2; }

ICHDET_INLINE double normal_quantile(double p) {
  detail::require_in("normal quantile, p", p, 0, 1, "0 to 1");
  if (p > 0.5) return -normal_quantile(1 - p);
  if (p == 0) return -std::numeric_limits<double>::infinity();
  // Newton's method on ln Phi, which is concave: from the left of the root it climbs there without overshooting.
  double z = -std::sqrt(-2 * std::log(p));
  for (int step = 0; step < 50; ++step) {
    const double cdf = normal_cdf(z);
    const double density = std::exp(-z * z / 2) * std::numbers::inv_sqrtpi / std::numbers::sqrt2;
    const double move = std::log(p / cdf) * cdf / density;
    z += move;
    if (std::abs(move) <= 4 * std::numeric_limits<double>::epsilon() * std::abs(z)) break;
  }
  return p == 0.5 ? 0 : z;
}

ICHDET_INLINE double student_t_quantile(double p, double degrees) {
  detail::require_in("Student's t, p", p, std::numeric_limits<double>::min(), 1 - 1e-16, "a number between 0 and 1");
  const double inside = std::abs(1 - 2 * p);  // P(|T| <= t)
  const double y = incomplete_beta_inverse(0.5, degrees / 2, inside);
  const double t = std::sqrt(degrees * y / (1 - y));
  return p < 0.5 ? -t : t;
}

}  // namespace ichdet::evaluate
