#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "ichdet/aggregate/lesions.hpp"
#include "ichdet/core/components.hpp"
#include "ichdet/core/error.hpp"
#include "ichdet/core/volume.hpp"

namespace ichdet {

namespace detail {

/// The first and last pixel of a piece in one row of one slice.
struct RowEnds {
  std::int64_t slice, row, first, last;
};

struct Piece {
  double volume_ml = 0;
  double probability_sum = 0;
  std::int64_t voxels = 0;
  Eigen::Vector3d moment = Eigen::Vector3d::Zero();  ///< sum of position times volume
  std::vector<RowEnds> rows;                         ///< in raster order
};

ICHDET_INLINE std::vector<double> pixel_ml(const SliceGeometry& slices) {
  auto volumes = slices.extents_mm();
  for (std::size_t k = 0; k < volumes.size(); ++k) {
    volumes[k] *= slices.planes()[k].row_spacing_mm * slices.planes()[k].column_spacing_mm / 1000;
  }
  return volumes;
}

/// Counter-clockwise corners of the convex hull of the pixel centres of some rows of one slice (monotone chain).
ICHDET_INLINE std::vector<std::array<std::int64_t, 2>> convex_hull(const RowEnds* begin, const RowEnds* end) {
  std::vector<std::array<std::int64_t, 2>> points;
  for (const auto* r = begin; r != end; ++r) {
    points.push_back({r->row, r->first});
    if (r->last != r->first) points.push_back({r->row, r->last});
  }
  std::vector<std::array<std::int64_t, 2>> hull;
  const auto extend = [&](const std::array<std::int64_t, 2>& p, std::size_t keep) {
    while (hull.size() >= keep + 2) {
      const auto& a = hull[hull.size() - 2];
      const auto& b = hull.back();
      if ((b[0] - a[0]) * (p[1] - a[1]) - (b[1] - a[1]) * (p[0] - a[0]) > 0) break;
      hull.pop_back();
    }
    hull.push_back(p);
  };
  for (const auto& p : points) extend(p, 0);
  const std::size_t lower = hull.size() - 1;
  for (auto p = points.rbegin() + 1; p < points.rend(); ++p) extend(*p, lower);
  if (hull.size() > 1) hull.pop_back();
  return hull;
}

/// The two farthest points of a set are corners of its hull, so each is a corner of its own slice's hull.
ICHDET_INLINE double longest_diameter_mm(const Piece& piece, const SliceGeometry& slices) {
  std::vector<Eigen::Vector3d> corners;
  for (std::size_t begin = 0; begin < piece.rows.size();) {
    std::size_t end = begin;
    while (end < piece.rows.size() && piece.rows[end].slice == piece.rows[begin].slice) ++end;
    const auto& plane = slices.planes()[std::size_t(piece.rows[begin].slice)];
    for (const auto& [row, column] : convex_hull(piece.rows.data() + begin, piece.rows.data() + end)) {
      corners.push_back(plane.to_lps(double(row), double(column)));
    }
    begin = end;
  }
  double longest = 0;
  for (std::size_t i = 0; i < corners.size(); ++i) {
    for (std::size_t j = i + 1; j < corners.size(); ++j) {
      longest = std::max(longest, (corners[i] - corners[j]).squaredNorm());
    }
  }
  const auto& plane = slices.planes()[std::size_t(piece.rows.front().slice)];
  return std::sqrt(longest) + std::sqrt(plane.row_spacing_mm * plane.column_spacing_mm);
}

/// All pieces of a component labelling, in the order of their numbers.
ICHDET_INLINE std::vector<Piece> measure_pieces(const Components& components, const Array3<float>& probability,
                                                const SliceGeometry& slices) {
  const auto voxel_ml = pixel_ml(slices);
  std::vector<Piece> pieces(std::size_t(components.count()));
  for (std::int64_t k = 0; k < slices.count(); ++k) {
    const auto& plane = slices.planes()[std::size_t(k)];
    for (std::int64_t r = 0; r < slices.rows(); ++r) {
      const std::int32_t* numbers = &components.labels(k, r, 0);
      for (std::int64_t c = 0; c < slices.columns(); ++c) {
        const auto number = numbers[c];
        if (number == 0) continue;
        auto& piece = pieces[std::size_t(number - 1)];
        piece.voxels += 1;
        piece.volume_ml += voxel_ml[std::size_t(k)];
        piece.probability_sum += probability(k, r, c);
        piece.moment += plane.to_lps(double(r), double(c)) * voxel_ml[std::size_t(k)];
        if (!piece.rows.empty() && piece.rows.back().slice == k && piece.rows.back().row == r) {
          piece.rows.back().last = c;
        } else {
          piece.rows.push_back({k, r, c, c});
        }
      }
    }
  }
  return pieces;
}

ICHDET_INLINE std::vector<std::uint8_t> chosen_labels(const SliceLabels& labels, const LesionOptions& options) {
  std::vector<std::uint8_t> chosen = options.labels;
  if (chosen.empty()) {
    for (std::size_t label = 1; label < labels.names.size(); ++label) chosen.push_back(std::uint8_t(label));
  }
  for (const auto label : chosen) {
    if (label == 0 || label >= labels.names.size()) {
      throw Error::mismatch(ErrorCode::options, "LesionOptions.labels",
                            "labels from 1 to " + std::to_string(labels.names.size() - 1), std::to_string(label));
    }
  }
  return chosen;
}

}  // namespace detail

ICHDET_INLINE std::vector<Lesion> lesions(const SliceLabels& labels, const Array3<float>& blood_probability,
                                          const LesionOptions& options) {
  check_shape("blood probability", labels.geometry.shape(), blood_probability.shape());
  std::vector<Lesion> found;
  Array3<std::uint8_t> mask(labels.labels.shape());
  for (const auto label : detail::chosen_labels(labels, options)) {
    std::transform(labels.labels.begin(), labels.labels.end(), mask.begin(),
                   [label](std::uint8_t value) { return std::uint8_t(value == label); });
    for (const auto& piece : detail::measure_pieces(connected_components(mask), blood_probability, labels.geometry)) {
      if (piece.volume_ml < options.min_volume_ml) continue;
      Lesion lesion;
      lesion.label = labels.names[label];
      lesion.volume_ml = piece.volume_ml;
      lesion.diameter_mm = detail::longest_diameter_mm(piece, labels.geometry);
      lesion.centroid_mm = piece.moment / piece.volume_ml;
      for (const auto& row : piece.rows) {
        if (lesion.slices.empty() || lesion.slices.back() != row.slice) lesion.slices.push_back(row.slice);
      }
      lesion.confidence = piece.probability_sum / double(piece.voxels);
      found.push_back(std::move(lesion));
    }
  }
  std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.volume_ml > b.volume_ml; });
  return found;
}

ICHDET_INLINE std::map<std::string, double> volumes_ml(const SliceLabels& labels) {
  const auto voxel_ml = detail::pixel_ml(labels.geometry);
  std::vector<double> volumes(labels.names.size());
  for (std::int64_t k = 0; k < labels.geometry.count(); ++k) {
    std::array<std::int64_t, 256> counts{};
    for (const auto value : labels.labels.plane(k)) ++counts[value];
    for (std::size_t value = 0; value < counts.size(); ++value) {
      if (counts[value] == 0) continue;
      if (value >= volumes.size()) {
        throw Error::mismatch(ErrorCode::shape, "labels, slice " + std::to_string(k),
                              "values below " + std::to_string(volumes.size()) + ", the number of names",
                              std::to_string(value));
      }
      volumes[value] += double(counts[value]) * voxel_ml[std::size_t(k)];
    }
  }
  std::map<std::string, double> named;
  for (std::size_t value = 1; value < volumes.size(); ++value) named[labels.names[value]] += volumes[value];
  return named;
}

}  // namespace ichdet
