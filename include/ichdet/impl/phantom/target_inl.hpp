#pragma once

#include <array>
#include <cmath>
#include <string>
#include <string_view>
#include <vector>

#include "ichdet/core/error.hpp"
#include "ichdet/phantom/grid_tools.hpp"
#include "ichdet/phantom/random.hpp"
#include "ichdet/phantom/target.hpp"

namespace ichdet::phantom_detail {

inline constexpr std::uint64_t stream_target = 31;

/// A named place on the patient's left, in head coordinates; `often` weighs the draw where none is asked for.
struct Place {
  std::string_view name;
  Eigen::Vector3d at;
  double often;
};

ICHDET_INLINE std::vector<Place> places(HemorrhageType type) {
  switch (type) {
    case HemorrhageType::intraparenchymal:
      return {{"basal ganglia", {26, -8, 5}, 5}, {"thalamus", {13, 9, 6}, 2},   {"frontal", {28, -48, 24}, 2},
              {"parietal", {36, 34, 36}, 2},     {"temporal", {48, 4, -14}, 2}, {"occipital", {28, 60, 10}, 1},
              {"cerebellum", {24, 52, -38}, 1},  {"pons", {2, 12, -34}, 0}};
    case HemorrhageType::intraventricular: return {{"", {22, 45, 9}, 1}};
    case HemorrhageType::subdural:
    case HemorrhageType::epidural:
      return {{"frontal", {45, -50, 30}, 1},
              {"parietal", {56, 22, 36}, 2},
              {"temporal", {64, 2, 6}, 2},
              {"occipital", {40, 66, 22}, 0.5}};
    case HemorrhageType::subarachnoid:
      return {{"basal cisterns", {4, -17, -18}, 2},
              {"frontal", {40, -50, 30}, 1},
              {"parietal", {48, 25, 45}, 2},
              {"temporal", {46, -8, 0}, 2},
              {"occipital", {40, 66, 20}, 0.5}};
  }
  return {};
}

ICHDET_INLINE Eigen::Vector3d choose_target(const Hemorrhage& h, const Eigen::Affine3d& head_to_lps,
                                            const SliceGeometry& geometry, std::uint64_t seed) {
  const std::string name(to_string(h.type));
  if (!(h.volume_ml > 0) || !std::isfinite(h.volume_ml)) {
    throw Error::mismatch(ErrorCode::options, name + ", volume_ml", "a positive number", std::to_string(h.volume_ml));
  }
  if (!(h.soft_edge_mm > 0) || !(h.texture_mm > 0) || !(h.oedema_mm >= 0) || !(h.texture_hu >= 0)) {
    throw Error(ErrorCode::options,
                name + ": expected soft_edge_mm and texture_mm above 0, oedema_mm and texture_hu at least 0");
  }
  const auto last = double(geometry.count() - 1);
  if (h.target_mm) {
    const Eigen::Vector3d index = to_slice_index(geometry, *h.target_mm);
    if (index[0] < -0.5 || index[0] > last + 0.5 || index[1] < -0.5 || index[1] > double(geometry.rows()) - 0.5 ||
        index[2] < -0.5 || index[2] > double(geometry.columns()) - 0.5) {
      throw Error(ErrorCode::options, name + ", target_mm: expected a point inside the scan, found one outside");
    }
    return *h.target_mm;
  }
  const auto draw = [&](std::uint64_t i) { return counter_uniform(seed, stream_target, i); };
  const auto choices = places(h.type);
  const Place* chosen = nullptr;
  if (h.region.empty()) {
    double sum = 0;
    for (const auto& place : choices) sum += place.often;
    double left = draw(0) * sum;
    for (const auto& place : choices) {
      chosen = &place;
      left -= place.often;
      if (left < 0) break;
    }
  } else {
    std::string known;
    for (const auto& place : choices) {
      if (place.name == h.region) chosen = &place;
      known += (known.empty() ? "" : ", ") + std::string(place.name);
    }
    if (chosen == nullptr) throw Error::mismatch(ErrorCode::options, name + ", region", "one of: " + known, h.region);
  }
  const bool left_side = h.side == Side::left || (h.side == Side::any && draw(1) < 0.5);
  Eigen::Vector3d at = chosen->at;
  for (int axis = 0; axis < 3; ++axis) at[axis] += 6 * (draw(std::uint64_t(2 + axis)) - 0.5);
  at.x() = std::max(at.x(), chosen->at.x() / 2) * (left_side ? 1 : -1);
  Eigen::Vector3d lps = head_to_lps * at;
  const double slice = to_slice_index(geometry, lps)[0];
  const double wanted = std::clamp(slice, 0.0, last);
  if (slice != wanted) {
    const auto& nearest = geometry.planes()[slice < 0 ? 0 : geometry.planes().size() - 1];
    lps += geometry.normal() * geometry.normal().dot(nearest.position_mm - lps);
  }
  return lps;
}

ICHDET_INLINE float subdural_thinning_mm(const Eigen::Vector3f& point, const Eigen::Vector3f& centre) {
  const Eigen::Vector3f radii(67, 83, 74);
  const Eigen::Vector3f step = point.cwiseQuotient(radii).normalized() - centre.cwiseQuotient(radii).normalized();
  const float away = step.cwiseProduct(Eigen::Vector3f(0.82F, 0.82F, 1.2F)).norm();
  return 14 * away * away * away;
}

}  // namespace ichdet::phantom_detail
