#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <numeric>

#include "ichdet/core/error.hpp"
#include "ichdet/evaluate/explanation_figures.hpp"

namespace ichdet::evaluate {

namespace detail {

/// The mean of what was measured.
struct Mean {
  double sum = 0;
  double count = 0;

  void add(double value, double times = 1) {
    if (std::isnan(value) || times == 0) return;
    sum += times * value;
    count += times;
  }
  double value() const { return count > 0 ? sum / count : undefined; }
};

/// (figure, patient) of one method.
inline std::vector<std::vector<double>> by_patient(const std::vector<const MapOutcome*>& maps) {
  std::vector<std::vector<double>> all;
  for (const auto& figure : map_figures()) {
    std::map<std::string, Mean> means;
    for (const auto* map : maps) means[map->patient].add(map->*figure.value);
    auto& patients = all.emplace_back();
    for (const auto& [patient, mean] : means) patients.push_back(mean.value());
  }
  return all;
}

inline MethodFigures figures_of(const std::vector<const MapOutcome*>& maps, const BootstrapOptions& options) {
  const auto values = by_patient(maps);
  MethodFigures found;
  found.method = maps.front()->method;
  found.maps = std::int64_t(maps.size());
  found.patients = std::int64_t(values.front().size());
  const auto means = [&](std::span<const std::uint32_t> times, std::span<double> to) {
    for (std::size_t f = 0; f < values.size(); ++f) {
      Mean mean;
      for (std::size_t p = 0; p < values[f].size(); ++p) mean.add(values[f][p], times[p]);
      to[f] = mean.value();
    }
  };
  std::vector<double> all(values.size());
  means(std::vector<std::uint32_t>(std::size_t(found.patients), 1), all);
  std::vector<std::int32_t> rows(std::size_t(found.patients));
  std::iota(rows.begin(), rows.end(), 0);
  const auto intervals = bootstrap(rows, values.size(), means, options);
  for (std::size_t f = 0; f < values.size(); ++f) {
    Estimate estimate;
    estimate.name = map_figures()[f].name;
    estimate.value = all[f];
    estimate.bootstrap = intervals[f];
    found.figures.push_back(std::move(estimate));
  }
  return found;
}

}  // namespace detail

ICHDET_INLINE std::span<const MapFigure> map_figures() noexcept {
  static constexpr std::array<MapFigure, 10> all{
      {{"pointing", "hit", &MapOutcome::pointing, 1, 2},
       {"near", "near", &MapOutcome::near, 1, 2},
       {"energy", "energy", &MapOutcome::energy, 1, 3},
       {"precision", "equal area", &MapOutcome::precision, 1, 3},
       {"auc", "pixel AUC", &MapOutcome::auc, 1, 3},
       {"insertion", "insertion", &MapOutcome::insertion, 1, 3},
       {"deletion", "deletion", &MapOutcome::deletion, -1, 3},
       {"information", "information", &MapOutcome::information, 1, 3},
       {"random_weights", "random weights", &MapOutcome::random_weights, 0, 2},
       {"seconds", "s", &MapOutcome::seconds, -1, 2}}};
  return all;
}

ICHDET_INLINE std::vector<MethodFigures> explanation_figures(const std::vector<MapOutcome>& outcomes,
                                                             const BootstrapOptions& options) {
  if (outcomes.empty()) throw Error::mismatch(ErrorCode::shape, "explanations", "at least one map", "none");
  std::vector<std::vector<const MapOutcome*>> methods;
  for (const auto& outcome : outcomes) {
    const auto found = std::find_if(methods.begin(), methods.end(),
                                    [&](const auto& maps) { return maps.front()->method == outcome.method; });
    if (found == methods.end()) {
      methods.push_back({&outcome});
    } else {
      found->push_back(&outcome);
    }
  }
  std::vector<MethodFigures> all;
  all.reserve(methods.size());
  for (const auto& maps : methods) all.push_back(detail::figures_of(maps, options));
  return all;
}

}  // namespace ichdet::evaluate
