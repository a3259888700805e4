#pragma once

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <optional>
#include <span>
#include <vector>

#include "ichdet/impl/io/series_detail.hpp"

// Note [Missing slices]
//
// Gaps are measured along the normal. What a gap should be is taken from its neighbours: the larger of the medians of
// up to three gaps before and up to three after, so that a change of spacing (thin slices through the skull base, thick
// ones above) never stands out. A gap is
//  - wide when it is more than 1.5 times that. A wide gap is a missing slice, unless
//      a) the thickness changes across it and the gap is no more than 1.5 times the larger thickness: a change of
//         protocol; or
//      b) both neighbours' instance numbers follow each other as everywhere in the series, and the gap is not within
//         10 % of a whole multiple of the usual one: spacing that was acquired so;
//  - skipped when the instance numbers jump by a multiple of their usual step and the gap is more than 1.25 times the
//    mean thickness of the two slices: something between them was numbered and is not there.
// Nothing can be said of slices missing at either end.

namespace ichdet::io::detail {

ICHDET_INLINE double median(std::vector<double> values) {
  const auto middle = values.begin() + std::ptrdiff_t(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

ICHDET_INLINE double expected_gap(const std::vector<double>& gaps, std::size_t at) {
  const std::size_t first = at > 3 ? at - 3 : 0;
  const std::size_t last = std::min(gaps.size(), at + 4);
  double expected = 0;
  if (first < at) expected = median({gaps.begin() + std::ptrdiff_t(first), gaps.begin() + std::ptrdiff_t(at)});
  if (at + 1 < last) {
    expected = std::max(expected, median({gaps.begin() + std::ptrdiff_t(at) + 1, gaps.begin() + std::ptrdiff_t(last)}));
  }
  return expected;
}

/// |difference| of the instance numbers across each gap; nothing where one is not known.
ICHDET_INLINE std::vector<std::optional<double>> instance_steps(std::span<const SliceRef> slices) {
  std::vector<std::optional<double>> steps;
  for (std::size_t i = 0; i + 1 < slices.size(); ++i) {
    const auto &a = slices[i].instance_number, &b = slices[i + 1].instance_number;
    steps.push_back(a && b ? std::optional(std::abs(double(*b) - double(*a))) : std::nullopt);
  }
  return steps;
}

ICHDET_INLINE std::vector<SliceGap> unusual_gaps(std::span<const SliceRef> slices, const std::vector<double>& gaps) {
  std::vector<SliceGap> found;
  if (gaps.size() < 2) return found;
  const double usual_of_all = median(gaps);
  const auto steps = instance_steps(slices);
  std::vector<double> known_steps;
  for (const auto& step : steps) {
    if (step) known_steps.push_back(*step);
  }
  const double usual_step = known_steps.size() == steps.size() ? median(known_steps) : 0;

  for (std::size_t i = 0; i < gaps.size(); ++i) {
    const double gap = gaps[i];
    const double expected = expected_gap(gaps, i);
    const double before = slices[i].plane.thickness_mm, after = slices[i + 1].plane.thickness_mm;
    const bool thickness_known = before > 0 && after > 0;
    const bool thickness_changes = thickness_known && std::abs(before - after) > 0.01 * std::max(before, after);
    const bool consecutive = usual_step > 0 && *steps[i] == usual_step;
    const double multiple = usual_step > 0 ? *steps[i] / usual_step : 1;
    const double covered = thickness_known ? (before + after) / 2 : expected;

    SliceGap report{std::int64_t(i), gap, expected, false, {}};
    if (gap > 1.5 * expected) {
      const double whole = std::round(gap / expected);
      if (thickness_changes && gap <= 1.5 * std::max(before, after)) {
        report.reason = "the slice thickness changes here";
      } else if (consecutive && std::abs(gap / expected - whole) > 0.1) {
        report.reason = "instance numbers are consecutive and the gap is no multiple of the usual one";
      } else {
        report.missing = true;
        report.reason =
            consecutive ? "a multiple of the usual gap (instance numbers are consecutive)" : "wider than the usual gap";
      }
    } else if (multiple >= 2 && multiple == std::round(multiple) && gap > 1.25 * covered) {
      report.missing = true;
      report.reason = "instance numbers jump from " + std::to_string(*slices[i].instance_number) + " to " +
                      std::to_string(*slices[i + 1].instance_number) + " and the slices do not cover the gap";
    } else if (std::abs(gap - usual_of_all) > 0.05 * usual_of_all + 0.01) {
      report.usual_mm = usual_of_all;
      report.reason = "the protocol's own spacing";
    } else {
      continue;
    }
    found.push_back(std::move(report));
  }
  return found;
}

}  // namespace ichdet::io::detail
