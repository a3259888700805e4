#pragma once

#include <algorithm>
#include <cmath>
#include <mutex>
#include <random>
#include <string>

#include "ichdet/core/error.hpp"
#include "ichdet/core/parallel.hpp"
#include "ichdet/evaluate/bootstrap.hpp"
#include "ichdet/impl/evaluate/shared.hpp"

namespace ichdet::evaluate {

namespace detail {

/// Uniform in [0, n): the high half of a 64 x 32 bit product. Its bias, below n / 2^64, is nothing here.
ICHDET_INLINE std::uint32_t below(std::uint32_t n, std::mt19937_64& generator) {
  const std::uint64_t word = generator();
  return std::uint32_t(((word >> 32) * n + (((word & 0xffffffffU) * n) >> 32)) >> 32);
}

/// How often each row is drawn in resample `index`; `times` is room for a count per patient.
ICHDET_INLINE void draw(std::uint64_t seed, std::int64_t index, std::span<const std::int32_t> patient_of_row,
                        std::vector<std::uint32_t>& times, std::vector<std::uint32_t>& multiplicity) {
  const auto resample = std::uint64_t(index);
  std::seed_seq seeds{std::uint32_t(seed), std::uint32_t(seed >> 32), std::uint32_t(resample),
                      std::uint32_t(resample >> 32)};
  std::mt19937_64 generator(seeds);
  std::fill(times.begin(), times.end(), 0U);
  for (std::size_t i = 0; i < times.size(); ++i) ++times[below(std::uint32_t(times.size()), generator)];
  for (std::size_t row = 0; row < multiplicity.size(); ++row) {
    multiplicity[row] = times[std::size_t(patient_of_row[row])];
  }
}

ICHDET_INLINE BootstrapInterval summarise(std::vector<double> values, double confidence) {
  BootstrapInterval result;
  const auto all = std::int64_t(values.size());
  std::erase_if(values, [](double v) { return std::isnan(v); });
  std::sort(values.begin(), values.end());
  result.resamples = std::int64_t(values.size());
  result.degenerate = all - result.resamples;
  const double tail = tail_of(confidence);
  result.interval = {sorted_quantile(values, tail), sorted_quantile(values, 1 - tail)};
  double mean = 0, squares = 0;
  for (const double v : values) mean += v / double(values.size());
  for (const double v : values) squares += (v - mean) * (v - mean);
  result.standard_error = values.size() > 1 ? std::sqrt(squares / double(values.size() - 1)) : undefined;
  return result;
}

}  // namespace detail

ICHDET_INLINE double sorted_quantile(std::span<const double> ascending, double q) noexcept {
  if (ascending.empty()) return undefined;
  const double place = q * double(ascending.size() - 1);
  const auto below = std::min(std::size_t(place), ascending.size() - 1);
  const auto above = std::min(below + 1, ascending.size() - 1);
  if (ascending[below] == ascending[above]) return ascending[below];  // infinities too
  return ascending[below] + (place - double(below)) * (ascending[above] - ascending[below]);
}

ICHDET_INLINE std::vector<BootstrapInterval> bootstrap(std::span<const std::int32_t> patient_of_row, std::size_t count,
                                                       const Statistics& statistics, const BootstrapOptions& options) {
  const auto resamples = options.resamples;
  detail::check_at_least("resamples", 1, resamples);
  detail::tail_of(options.confidence);
  if (patient_of_row.empty()) throw Error::mismatch(ErrorCode::shape, "bootstrap", "at least one row", "none");
  const auto [lowest, highest] = std::minmax_element(patient_of_row.begin(), patient_of_row.end());
  if (*lowest < 0) {
    throw Error::mismatch(ErrorCode::options, "patient_of_row", "numbers from 0", std::to_string(*lowest));
  }

  std::vector<std::vector<double>> values(count, std::vector<double>(std::size_t(resamples)));
  constexpr std::int64_t block = 32;  // resamples to one allocation
  const std::int64_t blocks = (resamples + block - 1) / block;
  std::mutex reporting;
  std::int64_t done = 0;
  const auto run_block = [&](std::int64_t b) {
    std::vector<std::uint32_t> times(std::size_t(*highest) + 1), multiplicity(patient_of_row.size());
    std::vector<double> one(count);
    for (auto i = b * block; i < std::min(resamples, (b + 1) * block); ++i) {
      if (options.progress.stop.stop_requested()) throw Error(ErrorCode::cancelled, "bootstrap: stopped on request");
      detail::draw(options.seed, i, patient_of_row, times, multiplicity);
      statistics(multiplicity, one);
      for (std::size_t s = 0; s < count; ++s) values[s][std::size_t(i)] = one[s];
    }
    const std::scoped_lock lock(reporting);
    options.progress("bootstrap", double(++done) / double(blocks));
  };
  parallel_for(blocks, options.threads, run_block);

  std::vector<BootstrapInterval> results;
  results.reserve(count);
  for (auto& one : values) results.push_back(detail::summarise(std::move(one), options.confidence));
  return results;
}

}  // namespace ichdet::evaluate
