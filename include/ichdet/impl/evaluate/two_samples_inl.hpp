#pragma once

#include <algorithm>
#include <cmath>

#include "ichdet/evaluate/bootstrap.hpp"
#include "ichdet/evaluate/two_samples.hpp"
#include "ichdet/impl/evaluate/shared.hpp"

namespace ichdet::evaluate {

namespace detail {

/// Ascending. Throws where a value is NaN.
ICHDET_INLINE std::vector<double> ascending(std::span<const double> values) {
  std::vector<double> sorted(values.begin(), values.end());
  if (std::any_of(values.begin(), values.end(), [](double v) { return std::isnan(v); })) {
    throw Error::mismatch(ErrorCode::options, "values", "numbers", "NaN");
  }
  std::sort(sorted.begin(), sorted.end());
  return sorted;
}

/// n m times the largest distance between the distribution functions of two ascending samples.
ICHDET_INLINE std::int64_t largest_distance(const std::vector<double>& a, const std::vector<double>& b) {
  const auto n = std::int64_t(a.size()), m = std::int64_t(b.size());
  std::int64_t i = 0, j = 0, largest = 0;
  while (i < n && j < m) {
    const double at = std::min(a[std::size_t(i)], b[std::size_t(j)]);
    while (i < n && a[std::size_t(i)] <= at) ++i;
    while (j < m && b[std::size_t(j)] <= at) ++j;
    largest = std::max(largest, std::abs(i * m - j * n));
  }
  return largest;
}

/// The probability that a random path from (0, 0) to (n, m) is somewhere at least `reach` / (n m) off the diagonal.
ICHDET_INLINE double path_probability(std::int64_t n, std::int64_t m, std::int64_t reach) {
  std::vector<double> off(std::size_t(m) + 1);
  for (std::int64_t i = 0; i <= n; ++i) {
    for (std::int64_t j = 0; j <= m; ++j) {
      auto& here = off[std::size_t(j)];
      if (std::abs(i * m - j * n) >= reach) {
        here = 1;
      } else if (i + j == 0) {
        here = 0;
      } else {
        const double before = j > 0 ? off[std::size_t(j - 1)] : 0;
        here = (double(i) * (i > 0 ? here : 0) + double(j) * before) / double(i + j);
      }
    }
  }
  return off.back();
}

/// Kolmogorov's limiting distribution, upper tail.
ICHDET_INLINE double kolmogorov_tail(double x) {
  if (x < 0.2) return 1;
  double sum = 0;
  for (int k = 1; k < 101; ++k) sum += (k % 2 == 1 ? 2 : -2) * std::exp(-2.0 * k * k * x * x);
  return std::clamp(sum, 0.0, 1.0);
}

ICHDET_INLINE double log_choose(std::int64_t n, std::int64_t k) {
  double sum = 0;  // small counts: exact enough, and std::lgamma is not free of global state
  for (std::int64_t i = 1; i <= k; ++i) sum += std::log(double(n - k + i) / double(i));
  return sum;
}

}  // namespace detail

ICHDET_INLINE KolmogorovSmirnov kolmogorov_smirnov(std::span<const double> a, std::span<const double> b) {
  if (a.empty() || b.empty()) return {};
  const auto n = std::int64_t(a.size()), m = std::int64_t(b.size());
  const auto reach = detail::largest_distance(detail::ascending(a), detail::ascending(b));
  const double statistic = double(reach) / (double(n) * double(m));
  if (double(n) * double(m) > 4e8) {
    const double size = double(n) * double(m) / double(n + m);
    return {statistic, detail::kolmogorov_tail(std::sqrt(size) * statistic)};
  }
  return {statistic, detail::path_probability(n, m, reach)};
}

ICHDET_INLINE StabilityIndex population_stability(std::span<const double> reference, std::span<const double> found,
                                                  int bins) {
  detail::check_at_least("bins", 2, bins);
  StabilityIndex result;
  if (reference.empty() || found.empty()) return result;
  const auto sorted = detail::ascending(reference);
  detail::ascending(found);
  for (int b = 1; b < bins; ++b) {
    const double edge = sorted_quantile(sorted, double(b) / bins);
    if (result.edges.empty() || edge > result.edges.back()) result.edges.push_back(edge);
  }
  // Where the highest values are all equal to the last edge, no reference value lies above it: that bin tells of values
  // that never occurred.
  const auto count = [&](std::span<const double> values) {
    std::vector<std::int64_t> counts(result.edges.size() + 1);
    for (const double v : values) {
      ++counts[std::size_t(std::lower_bound(result.edges.begin(), result.edges.end(), v) - result.edges.begin())];
    }
    return counts;
  };
  result.reference = count(reference);
  result.found = count(found);
  const double n = double(reference.size()), m = double(found.size());
  result.value = 0;
  for (std::size_t b = 0; b < result.reference.size(); ++b) {
    if (result.reference[b] == 0 && result.found[b] == 0) continue;
    const double before = std::max(0.5, double(result.reference[b])) / n,
                 after = std::max(0.5, double(result.found[b])) / m;
    result.value += (after - before) * std::log(after / before);
  }
  result.expected = double(result.edges.size()) * (1 / n + 1 / m);
  return result;
}

ICHDET_INLINE double fisher_exact(const Proportion& a, const Proportion& b) {
  if (a.trials == 0 || b.trials == 0) return undefined;
  const auto successes = a.successes + b.successes;
  const auto log_probability = [&](std::int64_t in_a) {
    return detail::log_choose(a.trials, in_a) + detail::log_choose(b.trials, successes - in_a) -
           detail::log_choose(a.trials + b.trials, successes);
  };
  const double observed = log_probability(a.successes);
  double p = 0;
  for (auto k = std::max<std::int64_t>(0, successes - b.trials); k <= std::min(a.trials, successes); ++k) {
    const double one = log_probability(k);
    if (one <= observed + 1e-7) p += std::exp(one);
  }
  return std::min(1.0, p);
}

}  // namespace ichdet::evaluate
