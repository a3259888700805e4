#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "ichdet/core/components.hpp"
#include "ichdet/report/view.hpp"

namespace ichdet {

namespace detail {

/// The LPS axis nearest to a direction, as the letter it points to.
ICHDET_INLINE char direction_letter(const Eigen::Vector3d& direction) {
  Eigen::Index axis = 0;
  direction.cwiseAbs().maxCoeff(&axis);
  return direction[axis] < 0 ? "RAI"[axis] : "LPS"[axis];
}

/// Directions that should run right and down in the picture of a plane with this normal.
ICHDET_INLINE std::array<Eigen::Vector3d, 2> reading_directions(const Eigen::Vector3d& normal) {
  Eigen::Index axis = 0;
  normal.cwiseAbs().maxCoeff(&axis);
  if (axis == 0) return {Eigen::Vector3d::UnitY(), -Eigen::Vector3d::UnitZ()};
  if (axis == 1) return {Eigen::Vector3d::UnitX(), -Eigen::Vector3d::UnitZ()};
  return {Eigen::Vector3d::UnitX(), Eigen::Vector3d::UnitY()};
}

/// 1 where most of a cell of `size` x `size` pixels is denser than air.
ICHDET_INLINE Array3<std::uint8_t> dense_cells(const SliceStack& stack, std::int64_t size) {
  const auto [nz, ny, nx] = stack.hu.shape();
  const bool padded = !stack.padding.empty();
  float lowest = std::numeric_limits<float>::max();
  for (std::int64_t i = 0; i < stack.hu.size(); ++i) {
    if (!padded || stack.padding.data()[i] == 0) lowest = std::min(lowest, stack.hu.data()[i]);
  }
  // Some sets are published clipped to the brain's window, air being its lower edge.
  const float threshold = lowest < -400 ? -250.0f : lowest + 5;
  Array3<std::uint8_t> cells({nz, (ny + size - 1) / size, (nx + size - 1) / size});
  std::vector<std::int64_t> dense(static_cast<std::size_t>(cells.extent(2)));
  for (std::int64_t z = 0; z < nz; ++z) {
    for (std::int64_t cy = 0; cy < cells.extent(1); ++cy) {
      std::fill(dense.begin(), dense.end(), 0);
      const auto last = std::min(ny, (cy + 1) * size);
      for (std::int64_t y = cy * size; y < last; ++y) {
        const float* hu = &stack.hu(z, y, 0);
        const std::uint8_t* padding = padded ? &stack.padding(z, y, 0) : nullptr;
        for (std::int64_t cx = 0, x = 0; x < nx; ++cx) {
          for (const auto end = std::min(nx, x + size); x < end; ++x) {
            dense[std::size_t(cx)] += hu[x] > threshold && (!padded || padding[x] == 0);
          }
        }
      }
      for (std::int64_t cx = 0; cx < cells.extent(2); ++cx) {
        const auto all = (last - cy * size) * (std::min(nx, (cx + 1) * size) - cx * size);
        cells(z, cy, cx) = 2 * dense[std::size_t(cx)] > all;
      }
    }
  }
  return cells;
}

/// In every slice: 1 where all (`all`) or any of the cells up to `radius` away are 1; cells outside count as 0.
ICHDET_INLINE Array3<std::uint8_t> spread(const Array3<std::uint8_t>& cells, std::int64_t radius, bool all) {
  const auto [nz, ny, nx] = cells.shape();
  Array3<std::uint8_t> rows(cells.shape());
  Array3<std::uint8_t> result(cells.shape());
  const auto pass = [&, ny = ny, nx = nx](const Array3<std::uint8_t>& from, Array3<std::uint8_t>& to, std::int64_t z,
                                          std::int64_t dy, std::int64_t dx) {
    for (std::int64_t y = 0; y < ny; ++y) {
      for (std::int64_t x = 0; x < nx; ++x) {
        std::int64_t ones = 0;
        for (std::int64_t d = -radius; d <= radius; ++d) {
          const auto v = y + d * dy;
          const auto u = x + d * dx;
          if (v >= 0 && u >= 0 && v < ny && u < nx) ones += from(z, v, u);
        }
        to(z, y, x) = all ? ones == 2 * radius + 1 : ones > 0;
      }
    }
  };
  for (std::int64_t z = 0; z < nz; ++z) {
    pass(cells, rows, z, 0, 1);
    pass(rows, result, z, 1, 0);
  }
  return result;
}

struct Box {
  std::int64_t first_row = std::numeric_limits<std::int64_t>::max(), first_column = first_row;
  std::int64_t first_slice = first_row;
  std::int64_t last_row = -1, last_column = -1, last_slice = -1;
  void add(std::int64_t slice, std::int64_t row, std::int64_t column) {
    first_slice = std::min(first_slice, slice);
    last_slice = std::max(last_slice, slice);
    first_row = std::min(first_row, row);
    last_row = std::max(last_row, row);
    first_column = std::min(first_column, column);
    last_column = std::max(last_column, column);
  }
};

/// The head's bounding box over all slices in the stack's rows and columns; last_row -1 where there is none.
ICHDET_INLINE Box head_box(const SliceStack& stack) {
  const auto& plane = stack.geometry.planes().front();
  const auto size =
      std::max<std::int64_t>(1, std::llround(2 / std::sqrt(plane.row_spacing_mm * plane.column_spacing_mm)));
  const std::int64_t radius = 2;
  const auto pieces = connected_components(spread(dense_cells(stack, size), radius, true));
  Box box;
  if (pieces.largest() == 0) return box;
  const auto head = spread(pieces.mask(pieces.largest()), radius, false);
  for (std::int64_t z = 0; z < head.extent(0); ++z) {
    for (std::int64_t y = 0; y < head.extent(1); ++y) {
      for (std::int64_t x = 0; x < head.extent(2); ++x) {
        if (head(z, y, x) == 0) continue;
        box.add(z, y * size, x * size);
        box.add(z, std::min(stack.geometry.rows(), (y + 1) * size) - 1,
                std::min(stack.geometry.columns(), (x + 1) * size) - 1);
      }
    }
  }
  return box;
}

ICHDET_INLINE double kernel_value(Kernel kernel, double x) {
  x = std::abs(x);
  if (x >= 2) return 0;
  if (kernel == Kernel::linear) return std::max(1 - x, 0.0);
  if (kernel == Kernel::spline) return x < 1 ? (4 - 6 * x * x + 3 * x * x * x) / 6 : (2 - x) * (2 - x) * (2 - x) / 6;
  return x < 1 ? 1.5 * x * x * x - 2.5 * x * x + 1 : -0.5 * x * x * x + 2.5 * x * x - 4 * x + 2;
}

/// One output sample: the input samples from `first` on, with weights that sum to 1.
struct Taps {
  std::int64_t first;
  std::vector<double> weights;
};

ICHDET_INLINE std::vector<Taps> taps(std::int64_t from, std::int64_t to, Kernel kernel, double width) {
  const double step = double(from) / double(to);
  const double scale = std::max(step, width);
  std::vector<Taps> result(static_cast<std::size_t>(to));
  for (std::int64_t i = 0; i < to; ++i) {
    const double centre = (double(i) + 0.5) * step - 0.5;
    const auto low = std::int64_t(std::ceil(centre - 2 * scale));
    const auto high = std::int64_t(std::floor(centre + 2 * scale));
    auto& [first, weights] = result[std::size_t(i)];
    first = std::clamp<std::int64_t>(low, 0, from - 1);
    weights.assign(std::size_t(std::clamp<std::int64_t>(high, 0, from - 1) - first + 1), 0);
    double sum = 0;
    for (auto j = low; j <= high; ++j) {
      const double weight = kernel_value(kernel, (double(j) - centre) / scale);
      weights[std::size_t(std::clamp<std::int64_t>(j, 0, from - 1) - first)] += weight;
      sum += weight;
    }
    for (auto& weight : weights) weight /= sum;
  }
  return result;
}

}  // namespace detail

ICHDET_INLINE SliceView upright_view(const SliceStack& stack, const ViewOptions& options,
                                     const Array3<std::uint8_t>& keep) {
  const auto& geometry = stack.geometry;
  const auto& plane = geometry.planes().front();
  const auto [right, down] = detail::reading_directions(geometry.normal());
  SliceView view;
  view.transposed = std::abs(plane.along_column.dot(right)) + std::abs(plane.along_row.dot(down)) >
                    std::abs(plane.along_row.dot(right)) + std::abs(plane.along_column.dot(down));
  Eigen::Vector3d to_right = view.transposed ? plane.along_column : plane.along_row;
  Eigen::Vector3d to_bottom = view.transposed ? plane.along_row : plane.along_column;
  view.columns_flipped = to_right.dot(right) < 0;
  view.rows_flipped = to_bottom.dot(down) < 0;
  if (view.columns_flipped) to_right = -to_right;
  if (view.rows_flipped) to_bottom = -to_bottom;
  view.right = detail::direction_letter(to_right);
  view.left = detail::direction_letter(-to_right);
  view.bottom = detail::direction_letter(to_bottom);
  view.top = detail::direction_letter(-to_bottom);
  view.column_mm = view.transposed ? plane.row_spacing_mm : plane.column_spacing_mm;
  view.row_mm = view.transposed ? plane.column_spacing_mm : plane.row_spacing_mm;
  view.rows = view.transposed ? geometry.columns() : geometry.rows();
  view.columns = view.transposed ? geometry.rows() : geometry.columns();
  view.slices = geometry.count();
  if (!options.crop_to_head) return view;

  detail::Box box = detail::head_box(stack);
  if (box.last_row < 0) return view;
  for (std::int64_t z = 0; z < keep.extent(0); ++z) {
    for (std::int64_t y = 0; y < keep.extent(1); ++y) {
      const std::uint8_t* row = &keep(z, y, 0);
      for (std::int64_t x = 0; x < keep.extent(2); ++x) {
        if (row[x] != 0) box.add(z, y, x);
      }
    }
  }
  view.first_slice = box.first_slice;
  view.slices = box.last_slice - box.first_slice + 1;
  if (view.transposed) {
    std::swap(box.first_row, box.first_column);
    std::swap(box.last_row, box.last_column);
  }
  const auto crop = [&](std::int64_t first, std::int64_t last, bool flipped, double mm, std::int64_t& begin,
                        std::int64_t& size) {
    if (flipped) {
      const auto mirrored = size - 1 - last;
      last = size - 1 - first;
      first = mirrored;
    }
    const auto margin = std::int64_t(std::ceil(options.margin_mm / mm));
    begin = std::max<std::int64_t>(0, first - margin);
    size = std::min(size, last + margin + 1) - begin;
  };
  crop(box.first_row, box.last_row, view.rows_flipped, view.row_mm, view.first_row, view.rows);
  crop(box.first_column, box.last_column, view.columns_flipped, view.column_mm, view.first_column, view.columns);
  return view;
}

ICHDET_INLINE Array2f resize(const Array2f& values, std::int64_t rows, std::int64_t columns, Kernel kernel,
                             double width) {
  const auto [from_rows, from_columns] = values.shape();
  const auto across = detail::taps(from_columns, columns, kernel, width);
  const auto down = detail::taps(from_rows, rows, kernel, width);
  Array2f narrowed({from_rows, columns});
  for (std::int64_t r = 0; r < from_rows; ++r) {
    for (std::int64_t c = 0; c < columns; ++c) {
      const auto& [first, weights] = across[std::size_t(c)];
      double sum = 0;
      for (std::size_t i = 0; i < weights.size(); ++i) sum += weights[i] * values(r, first + std::int64_t(i));
      narrowed(r, c) = float(sum);
    }
  }
  Array2f result({rows, columns});
  std::vector<double> sums(static_cast<std::size_t>(columns));
  for (std::int64_t r = 0; r < rows; ++r) {
    const auto& [first, weights] = down[std::size_t(r)];
    std::fill(sums.begin(), sums.end(), 0.0);
    for (std::size_t i = 0; i < weights.size(); ++i) {
      const float* row = narrowed.data() + (first + std::int64_t(i)) * columns;
      for (std::int64_t c = 0; c < columns; ++c) sums[std::size_t(c)] += weights[i] * row[c];
    }
    std::copy(sums.begin(), sums.end(), result.data() + r * columns);
  }
  return result;
}

}  // namespace ichdet
