#pragma once

#include <cmath>
#include <limits>

#include "ichdet/core/parallel.hpp"
#include "ichdet/phantom/grid_tools.hpp"

namespace ichdet::phantom_detail {

ICHDET_INLINE std::vector<float> gaussian_weights(double sigma) {
  const int radius = sigma > 0 ? int(std::ceil(3.5 * sigma)) : 0;
  std::vector<double> weights;
  double sum = 0;
  for (int i = -radius; i <= radius; ++i) {
    weights.push_back(sigma > 0 ? std::exp(-0.5 * i * i / (sigma * sigma)) : 1);
    sum += weights.back();
  }
  std::vector<float> scaled;
  for (const double w : weights) scaled.push_back(float(w / sum));
  return scaled;
}

ICHDET_INLINE void blur_slice(std::span<float> pixels, std::int64_t rows, std::int64_t columns,
                              const std::vector<float>& along_row, const std::vector<float>& along_column,
                              std::vector<float>& scratch) {
  const auto reach_x = std::int64_t(along_row.size() / 2);
  const auto reach_y = std::int64_t(along_column.size() / 2);
  scratch.assign(std::size_t(std::max(columns + 2 * reach_x, rows * columns)), 0);
  if (reach_x > 0) {
    std::vector<float> line(std::size_t(columns + 2 * reach_x));
    for (std::int64_t y = 0; y < rows; ++y) {
      float* row = pixels.data() + y * columns;
      for (std::int64_t x = 0; x < std::int64_t(line.size()); ++x) {
        line[std::size_t(x)] = row[std::clamp<std::int64_t>(x - reach_x, 0, columns - 1)];
      }
      std::fill(row, row + columns, 0.0F);
      for (std::size_t k = 0; k < along_row.size(); ++k) {
        const float w = along_row[k];
        const float* from = line.data() + k;
        for (std::int64_t x = 0; x < columns; ++x) row[x] += w * from[x];
      }
    }
  }
  if (reach_y > 0) {
    for (std::int64_t y = 0; y < rows; ++y) {
      float* out = scratch.data() + y * columns;
      std::fill(out, out + columns, 0.0F);
      for (std::size_t k = 0; k < along_column.size(); ++k) {
        const float w = along_column[k];
        const float* from =
            pixels.data() + std::clamp<std::int64_t>(y + std::int64_t(k) - reach_y, 0, rows - 1) * columns;
        for (std::int64_t x = 0; x < columns; ++x) out[x] += w * from[x];
      }
    }
    std::copy(scratch.begin(), scratch.begin() + rows * columns, pixels.begin());
  }
}

/// One line of the squared distance transform: d[i] = min over j of f[j] + (x[i] - x[j])^2.
ICHDET_INLINE void distance_line(std::vector<float>& f, const std::vector<double>& x, std::vector<float>& d,
                                 std::vector<std::size_t>& hull, std::vector<double>& from) {
  const std::size_t n = f.size();
  hull.clear();
  from.clear();
  for (std::size_t q = 0; q < n; ++q) {
    if (!std::isfinite(f[q])) continue;
    double start = -std::numeric_limits<double>::infinity();
    while (!hull.empty()) {
      const std::size_t v = hull.back();
      start = ((f[q] + x[q] * x[q]) - (f[v] + x[v] * x[v])) / (2 * (x[q] - x[v]));
      if (start > from.back()) break;
      hull.pop_back();
      from.pop_back();
      start = -std::numeric_limits<double>::infinity();
    }
    hull.push_back(q);
    from.push_back(start);
  }
  if (hull.empty()) return;
  std::size_t k = 0;
  for (std::size_t i = 0; i < n; ++i) {
    while (k + 1 < hull.size() && from[k + 1] < x[i]) ++k;
    const double step = x[i] - x[hull[k]];
    d[i] = float(step * step + f[hull[k]]);
  }
  f = d;
}

ICHDET_INLINE Array3<float> distance_to_outside(const Array3<std::uint8_t>& mask, const SliceGeometry& geometry,
                                                bool within_slices, int threads, float limit_mm) {
  const auto [slices, rows, columns] = mask.shape();
  const auto& plane = geometry.planes().front();
  const auto positions = [](std::int64_t n, double step) {
    std::vector<double> x(static_cast<std::size_t>(n));
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = double(i) * step;
    return x;
  };
  const auto x = positions(columns, plane.column_spacing_mm);
  const auto y = positions(rows, plane.row_spacing_mm);
  constexpr float far = std::numeric_limits<float>::infinity();
  Array3<float> squared(mask.shape());
  const auto transform = [](float* base, std::int64_t stride, const std::vector<double>& at) {
    std::vector<float> f(at.size());
    std::vector<float> d(at.size());
    std::vector<std::size_t> hull;
    std::vector<double> from;
    for (std::size_t i = 0; i < at.size(); ++i) f[i] = base[std::int64_t(i) * stride];
    distance_line(f, at, d, hull, from);
    for (std::size_t i = 0; i < at.size(); ++i) base[std::int64_t(i) * stride] = f[i];
  };
  const auto n_columns = columns;
  const auto n_rows = rows;
  parallel_for(slices, threads, [&](std::int64_t s) {
    const auto in = mask.plane(s);
    auto out = squared.plane(s);
    for (std::size_t i = 0; i < in.size(); ++i) out[i] = in[i] != 0 ? far : 0.0F;
    for (std::int64_t r = 0; r < n_rows; ++r) transform(out.data() + r * n_columns, 1, x);
    for (std::int64_t c = 0; c < n_columns; ++c) transform(out.data() + c, n_columns, y);
  });
  if (!within_slices && slices > 1) {
    const auto stride = rows * columns;
    parallel_for(rows, threads, [&](std::int64_t r) {
      for (std::int64_t c = 0; c < n_columns; ++c)
        transform(squared.data() + r * n_columns + c, stride, geometry.offsets_mm());
    });
  }
  for (float& value : squared) value = std::min(std::sqrt(value), limit_mm);
  return squared;
}

ICHDET_INLINE Array3<std::uint8_t> largest_piece(const Array3<std::uint8_t>& mask, const SliceGeometry& geometry) {
  const auto [slices, rows, columns] = mask.shape();
  const auto extents = geometry.extents_mm();
  Array3<std::uint8_t> state = mask.clone();  // 1: not yet visited
  std::vector<std::int64_t> piece;
  std::vector<std::int64_t> largest;
  double largest_size = 0;
  const std::int64_t area = rows * columns;
  for (std::int64_t start = 0; start < state.size(); ++start) {
    if (state.data()[start] != 1) continue;
    piece.assign(1, start);
    state.data()[start] = 2;
    double size = 0;
    for (std::size_t next = 0; next < piece.size(); ++next) {
      const std::int64_t at = piece[next];
      const std::int64_t s = at / area;
      const std::int64_t r = at % area / columns;
      const std::int64_t c = at % columns;
      size += extents[std::size_t(s)];
      const auto visit = [&](bool there, std::int64_t neighbour) {
        if (there && state.data()[neighbour] == 1) {
          state.data()[neighbour] = 2;
          piece.push_back(neighbour);
        }
      };
      visit(c > 0, at - 1);
      visit(c + 1 < columns, at + 1);
      visit(r > 0, at - columns);
      visit(r + 1 < rows, at + columns);
      visit(s > 0, at - area);
      visit(s + 1 < slices, at + area);
    }
    if (size > largest_size) {
      largest_size = size;
      largest.swap(piece);
    }
  }
  Array3<std::uint8_t> result(mask.shape());
  for (const auto at : largest) result.data()[at] = 1;
  return result;
}

ICHDET_INLINE Eigen::Vector3d to_slice_index(const SliceGeometry& geometry, const Eigen::Vector3d& lps_mm) {
  const auto& planes = geometry.planes();
  const auto& offsets = geometry.offsets_mm();
  const double along = geometry.normal().dot(lps_mm - planes.front().position_mm);
  double slice = 0;
  if (planes.size() == 1) {
    slice = along / planes.front().thickness_mm;
  } else {
    const auto above = std::upper_bound(offsets.begin(), offsets.end(), along);
    const auto i = std::clamp<std::ptrdiff_t>(above - offsets.begin() - 1, 0, std::ptrdiff_t(offsets.size()) - 2);
    slice = double(i) + (along - offsets[std::size_t(i)]) / (offsets[std::size_t(i) + 1] - offsets[std::size_t(i)]);
  }
  const auto nearest = std::size_t(std::clamp<std::int64_t>(std::lround(slice), 0, geometry.count() - 1));
  const auto& plane = planes[nearest];
  const Eigen::Vector3d offset = lps_mm - plane.position_mm;
  return {slice, offset.dot(plane.along_column) / plane.row_spacing_mm,
          offset.dot(plane.along_row) / plane.column_spacing_mm};
}

}  // namespace ichdet::phantom_detail
