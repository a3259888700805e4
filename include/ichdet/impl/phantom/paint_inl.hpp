#pragma once

#include <cmath>
#include <functional>
#include <limits>
#include <queue>
#include <string>

#include "ichdet/core/error.hpp"
#include "ichdet/core/parallel.hpp"
#include "ichdet/core/volume.hpp"
#include "ichdet/phantom/distance.hpp"
#include "ichdet/phantom/grid_tools.hpp"
#include "ichdet/phantom/paint.hpp"
#include "ichdet/phantom/random.hpp"
#include "ichdet/phantom/target.hpp"

namespace ichdet {

namespace phantom_detail {

inline constexpr float never = std::numeric_limits<float>::infinity();

/// What one pixel's cost depends on, and where the hemorrhage grows from.
struct Growth {
  const Hemorrhage& h;
  Eigen::Vector3f target_lps;
  Eigen::Vector3f target_head;
  Eigen::Vector3f surface_lps;  ///< extra-axial: the point of the inner table that it lies on
  Eigen::Matrix3f shape;        ///< intraparenchymal: from mm to radii of the ellipsoid
  float side;                   ///< 1 on the patient's left, -1 on the right
  bool infratentorial;
  std::uint64_t seed;
};

struct PixelAnatomy {
  Eigen::Vector3f lps, head;
  float depth, ventricle, csf, midline;
};

ICHDET_INLINE bool below_tentorium(const Eigen::Vector3f& head) {
  return head.y() > 5 && head.z() < float(tentorium_height_mm(head.x(), head.y()));
}

/// The cost in mm of taking a pixel, `never` where blood of this type cannot lie.
ICHDET_INLINE float growth_cost(const Growth& g, const PixelAnatomy& p) {
  if (p.depth <= 0) return never;
  const float coarse = lattice_noise(g.seed, p.lps, 22);
  const float fine = lattice_noise(g.seed + 1, p.lps, 9);
  const Eigen::Vector3f offset = p.lps - g.target_lps;
  switch (g.h.type) {
    case HemorrhageType::intraparenchymal: {
      const bool stem = g.infratentorial && std::abs(g.target_head.x()) < 8;
      if (p.depth < 1.5F || p.ventricle > 0.5F || (p.csf > 0.55F && p.depth < 12)) return never;
      if (!stem && g.side * p.midline < 1.5F) return never;
      if (below_tentorium(p.head) != g.infratentorial) return never;
      return (g.shape * offset).norm() * (1 + 0.38F * coarse + 0.16F * fine) * (1 + 0.8F * (p.csf + p.ventricle));
    }
    case HemorrhageType::intraventricular: {
      if (p.ventricle < 0.5F) return never;
      const float other_side = g.h.side == Side::any && !g.h.target_mm ? 4.0F : 14.0F;
      return -offset.y() + 200 + (g.side * p.midline < -1 ? other_side : 0.0F) + 1.2F * coarse;
    }
    case HemorrhageType::subdural: {
      if (g.side * p.midline < 2.5F || p.depth > 35 || below_tentorium(p.head)) return never;
      if (p.head.z() < -22 || (p.head.y() < -34 && p.head.z() < -4)) return never;
      return p.depth * (1 + 0.12F * coarse) + subdural_thinning_mm(p.head, g.target_head) + 1.5F * coarse + 2;
    }
    case HemorrhageType::epidural: {
      if (g.side * p.midline < 1 || p.depth > 45) return never;
      const Eigen::Vector3f from = p.lps - g.surface_lps;
      const float along = std::sqrt(std::max(from.squaredNorm() - p.depth * p.depth, 0.0F));
      return std::hypot(along, p.depth / 0.42F) * (1 + 0.06F * coarse);
    }
    case HemorrhageType::subarachnoid: {
      if (p.csf < 0.25F || p.depth > 45) return never;
      const bool basal = g.target_head.z() < -8 && std::abs(g.target_head.x()) < 12;
      if (!basal && g.side * p.midline < 0.5F) return never;
      return offset.norm() * (1 + 0.3F * coarse) + 12 * (1 - p.csf) + 0.3F * p.depth + 12;
    }
  }
  return never;
}

/// The mean of those neighbours that are of the pixel's own tissue: what it would read without noise.
ICHDET_INLINE float local_mean(const SliceStack& stack, std::int64_t s, std::int64_t r, std::int64_t c) {
  const auto& hu = stack.hu;
  const auto mean_within = [&](float centre, std::int64_t reach, float tolerance) {
    float sum = 0;
    int n = 0;
    for (std::int64_t y = std::max<std::int64_t>(r - reach, 0); y <= std::min(r + reach, hu.extent(1) - 1); ++y) {
      for (std::int64_t x = std::max<std::int64_t>(c - reach, 0); x <= std::min(c + reach, hu.extent(2) - 1); ++x) {
        const float v = hu(s, y, x);
        if (std::abs(v - centre) <= tolerance) {
          sum += v;
          ++n;
        }
      }
    }
    return n > 0 ? sum / float(n) : centre;
  };
  return mean_within(mean_within(hu(s, r, c), 1, 15), 2, 12);
}

/// The same for a pixel of any stack, as the anatomy has it.
ICHDET_INLINE PixelAnatomy pixel_anatomy(const SliceStack& stack, const HeadAnatomy& a, const Eigen::Affine3f& to_head,
                                         std::int64_t s, std::int64_t r, std::int64_t c) {
  PixelAnatomy p;
  p.lps = stack.geometry.planes()[std::size_t(s)].to_lps(double(r), double(c)).cast<float>();
  p.head = to_head * p.lps;
  p.depth = a.depth_mm(s, r, c);
  p.ventricle = a.ventricle(s, r, c);
  p.csf = a.csf(s, r, c);
  p.midline = a.midline_mm(s, r, c);
  return p;
}

/// The pixel of the cavity's rim that lies nearest to the ray from the middle of the cavity through the target.
ICHDET_INLINE Eigen::Vector3f inner_table_at(const SliceStack& stack, const HeadAnatomy& a,
                                             const Eigen::Vector3d& target) {
  const Eigen::Vector3d index = to_slice_index(stack.geometry, target);
  const auto s = std::clamp<std::int64_t>(std::lround(index[0]), 0, stack.geometry.count() - 1);
  const auto& plane = stack.geometry.planes()[std::size_t(s)];
  double best = std::numeric_limits<double>::infinity();
  Eigen::Vector3d found = target;
  for (std::int64_t r = 0; r < stack.geometry.rows(); ++r) {
    for (std::int64_t c = 0; c < stack.geometry.columns(); ++c) {
      const float depth = a.depth_mm(s, r, c);
      if (depth <= 0 || depth > 2 * plane.row_spacing_mm + 0.5) continue;
      const Eigen::Vector3d p = plane.to_lps(double(r), double(c));
      if ((p - target).squaredNorm() < best) {
        best = (p - target).squaredNorm();
        found = p;
      }
    }
  }
  return found.cast<float>();
}

ICHDET_INLINE Growth plan_growth(const Hemorrhage& h, const SliceStack& stack, const HeadAnatomy& a,
                                 const Eigen::Affine3d& to_head, std::uint64_t seed) {
  const Eigen::Vector3d target = choose_target(h, a.head_to_lps, stack.geometry, seed);
  Growth g{h,
           target.cast<float>(),
           (to_head * target).cast<float>(),
           target.cast<float>(),
           Eigen::Matrix3f::Identity(),
           1,
           false,
           seed * 64 + 17};
  const auto draw = [&](std::uint64_t i) { return counter_uniform(g.seed, 5, i); };
  g.side = g.target_head.x() >= 0 ? 1.0F : -1.0F;
  g.infratentorial = below_tentorium(g.target_head);
  if (h.type == HemorrhageType::intraparenchymal) {
    const Eigen::Quaterniond turn = Eigen::AngleAxisd(6.28 * draw(0), Eigen::Vector3d::UnitZ()) *
                                    Eigen::AngleAxisd(0.6 * (draw(1) - 0.5), Eigen::Vector3d::UnitX());
    const Eigen::Vector3d radii(1.25 - 0.1 * draw(2), 0.8 + 0.15 * draw(3), 0.9 + 0.2 * draw(4));
    g.shape = (radii.cwiseInverse().asDiagonal() * turn.toRotationMatrix()).cast<float>();
  }
  if (h.type == HemorrhageType::epidural) g.surface_lps = inner_table_at(stack, a, target);
  return g;
}

/// Throws that the hemorrhage found room for `found_ml` alone.
[[noreturn]] ICHDET_INLINE void does_not_fit(const Hemorrhage& h, double found_ml) {
  throw Error::mismatch(ErrorCode::options, std::string(to_string(h.type)) + " hemorrhage",
                        "room for " + std::to_string(h.volume_ml) + " mL",
                        std::to_string(found_ml) + " mL in that place of this head");
}

/// The cost up to which pixels are taken so that their volume is nearest to the one asked for.
ICHDET_INLINE float cost_for_volume(const Array3<float>& cost, const std::vector<double>& pixel_ml,
                                    const Hemorrhage& h) {
  std::vector<std::pair<float, double>> candidates;
  for (std::int64_t s = 0; s < cost.extent(0); ++s) {
    for (const float value : cost.plane(s)) {
      if (value < never) candidates.emplace_back(value, pixel_ml[std::size_t(s)]);
    }
  }
  std::sort(candidates.begin(), candidates.end());
  double volume = 0;
  for (const auto& [value, ml] : candidates) {
    volume += ml;
    if (volume >= h.volume_ml - ml / 2) return value;
  }
  does_not_fit(h, volume);
}

/// The same, taking only pixels that hang together with the cheapest one; the cost of the others becomes `never`.
ICHDET_INLINE float connected_cost_for_volume(Array3<float>& cost, const std::vector<double>& pixel_ml,
                                              const Hemorrhage& h) {
  const auto [slices, rows, columns] = cost.shape();
  const std::int64_t area = rows * columns;
  using Entry = std::pair<float, std::int64_t>;
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> front;
  Array3<std::uint8_t> state(cost.shape());  // 1: in the front, 2: taken
  const auto visit = [&, c = cost.data()](bool there, std::int64_t at) {
    if (!there || state.data()[at] != 0 || c[at] == never) return;
    state.data()[at] = 1;
    front.emplace(c[at], at);
  };
  visit(true, std::min_element(cost.begin(), cost.end()) - cost.begin());
  double volume = 0;
  float level = -never;
  while (!front.empty()) {
    const auto [value, at] = front.top();
    front.pop();
    const std::int64_t s = at / area;
    const std::int64_t r = at % area / columns;
    const std::int64_t c = at % columns;
    const double ml = pixel_ml[std::size_t(s)];
    state.data()[at] = 2;
    level = std::max(level, value);
    volume += ml;
    if (volume >= h.volume_ml - ml / 2) {
      for (std::int64_t i = 0; i < cost.size(); ++i) {
        if (cost.data()[i] <= level && state.data()[i] != 2) cost.data()[i] = never;
      }
      return level;
    }
    visit(c > 0, at - 1);
    visit(c + 1 < columns, at + 1);
    visit(r > 0, at - columns);
    visit(r + 1 < rows, at + columns);
    visit(s > 0, at - area);
    visit(s + 1 < slices, at + area);
  }
  does_not_fit(h, volume);
}

}  // namespace phantom_detail

ICHDET_INLINE PaintedLabels paint(SliceStack& stack, const HeadAnatomy& anatomy,
                                  const std::vector<Hemorrhage>& hemorrhages, const PaintOptions& options) {
  using namespace phantom_detail;
  const auto shape = stack.geometry.shape();
  check_shape("anatomy, depth_mm", shape, anatomy.depth_mm.shape());
  check_shape("anatomy, ventricle", shape, anatomy.ventricle.shape());
  check_shape("anatomy, csf", shape, anatomy.csf.shape());
  check_shape("anatomy, midline_mm", shape, anatomy.midline_mm.shape());
  const auto extents = stack.geometry.extents_mm();
  std::vector<double> pixel_ml;
  for (std::int64_t s = 0; s < shape[0]; ++s) {
    const auto& plane = stack.geometry.planes()[std::size_t(s)];
    pixel_ml.push_back(plane.row_spacing_mm * plane.column_spacing_mm * extents[std::size_t(s)] / 1000);
  }
  PaintedLabels result{SliceLabels(Array3<std::uint8_t>(shape), hemorrhage_label_names(), stack.geometry), {}};
  auto& labels = result.truth.labels;
  const Eigen::Affine3d to_head_d = anatomy.head_to_lps.inverse();
  const Eigen::Affine3f to_head = to_head_d.cast<float>();

  for (std::size_t i = 0; i < hemorrhages.size(); ++i) {
    const Hemorrhage& h = hemorrhages[i];
    const Growth growth = plan_growth(h, stack, anatomy, to_head_d, options.seed + i);
    Array3<float> cost(shape, never);
    parallel_for(shape[0] * shape[1], options.threads, [&](std::int64_t line) {
      const std::int64_t s = line / shape[1];
      const std::int64_t r = line % shape[1];
      for (std::int64_t c = 0; c < shape[2]; ++c) {
        const auto taken = labels(s, r, c);
        if (anatomy.depth_mm(s, r, c) <= 0 || (taken != 0 && taken != oedema_label)) continue;
        cost(s, r, c) = growth_cost(growth, pixel_anatomy(stack, anatomy, to_head, s, r, c));
      }
    });
    const float level = h.type == HemorrhageType::intraparenchymal ? connected_cost_for_volume(cost, pixel_ml, h)
                                                                   : cost_for_volume(cost, pixel_ml, h);

    const SliceStack before(stack.geometry, stack.hu.clone());
    const auto edge = float(h.soft_edge_mm);
    const auto rim = h.type == HemorrhageType::intraparenchymal ? float(h.oedema_mm) : 0.0F;
    parallel_for(shape[0] * shape[1], options.threads, [&](std::int64_t line) {
      const std::int64_t s = line / shape[1];
      const std::int64_t r = line % shape[1];
      for (std::int64_t c = 0; c < shape[2]; ++c) {
        const float over = cost(s, r, c) - level;
        if (!(over < rim + edge)) continue;
        if (over <= 0)
          labels(s, r, c) = std::uint8_t(h.type);
        else if (over < rim && labels(s, r, c) == 0)
          labels(s, r, c) = oedema_label;
        const float hu = before.hu(s, r, c);
        if (hu < -60) continue;
        const float mean = local_mean(before, s, r, c);
        const float base = std::clamp(mean, 0.0F, 42.0F);
        float part = shapes::inside(over, 2 * edge) * (1 - std::clamp((hu - 100) / 900, 0.0F, 1.0F));
        if (h.type == HemorrhageType::intraventricular) part *= shapes::ramp(anatomy.ventricle(s, r, c), 0, 0.8F);
        if (h.type == HemorrhageType::subarachnoid) part *= shapes::ramp(anatomy.csf(s, r, c), 0, 0.8F);
        const Eigen::Vector3f p = stack.geometry.planes()[std::size_t(s)].to_lps(double(r), double(c)).cast<float>();
        const float texture = float(h.texture_hu) / 0.35F * lattice_noise(growth.seed + 2, p, float(h.texture_mm));
        float value = hu + part * (float(h.density_hu) + texture - base);
        if (!options.keep_noise) value += part * (mean - hu);
        const float swollen = rim > 0 ? shapes::inside(over - rim, 2 * edge) * (1 - part) : 0;
        if (swollen > 0 && base > 18) value -= swollen * float(options.oedema_drop_hu);
        stack.hu(s, r, c) = hu == std::round(hu) ? std::round(value) : value;
      }
    });
    PaintedHemorrhage placed;
    placed.asked = h;
    placed.target_mm = growth.target_lps.cast<double>();
    for (std::int64_t s = 0; s < shape[0]; ++s) {
      bool shown = false;
      for (std::int64_t r = 0; r < shape[1]; ++r) {
        for (std::int64_t c = 0; c < shape[2]; ++c) {
          const float over = cost(s, r, c) - level;
          if (over <= 0) {
            placed.volume_ml += pixel_ml[std::size_t(s)];
            placed.centroid_mm +=
                pixel_ml[std::size_t(s)] * stack.geometry.planes()[std::size_t(s)].to_lps(double(r), double(c));
            shown = true;
          } else if (over < rim && labels(s, r, c) == oedema_label) {
            placed.oedema_ml += pixel_ml[std::size_t(s)];
          }
        }
      }
      if (shown) placed.slices.push_back(s);
    }
    placed.centroid_mm /= placed.volume_ml;
    result.placed.push_back(placed);
  }
  return result;
}

}  // namespace ichdet
