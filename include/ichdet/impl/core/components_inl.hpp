#pragma once

#include <algorithm>
#include <limits>

#include "ichdet/core/components.hpp"
#include "ichdet/core/error.hpp"

namespace ichdet {

namespace detail {

/// Voxels [first, last) of one row of the mask.
struct Run {
  std::int32_t first, last, parent;
};

ICHDET_INLINE std::int32_t find_root(std::vector<Run>& runs, std::int32_t i) {
  while (runs[std::size_t(i)].parent != i) {
    auto& parent = runs[std::size_t(i)].parent;
    parent = runs[std::size_t(parent)].parent;
    i = parent;
  }
  return i;
}

/// Joins the runs of row `a` with those of row `b` they touch; `reach` 1 lets them touch across a corner.
/// The earlier run becomes the root, so that roots appear in raster order.
ICHDET_INLINE void join_rows(std::vector<Run>& runs, std::int64_t a, std::int64_t a_end, std::int64_t b,
                             std::int64_t b_end, std::int32_t reach) {
  while (a < a_end && b < b_end) {
    const Run& left = runs[std::size_t(a)];
    const Run& right = runs[std::size_t(b)];
    if (left.first < right.last + reach && right.first < left.last + reach) {
      const auto root_a = find_root(runs, std::int32_t(a));
      const auto root_b = find_root(runs, std::int32_t(b));
      runs[std::size_t(std::max(root_a, root_b))].parent = std::min(root_a, root_b);
    }
    left.last < right.last ? ++a : ++b;
  }
}

}  // namespace detail

ICHDET_INLINE std::int32_t Components::largest() const noexcept {
  if (sizes.size() < 2) return 0;
  return std::int32_t(std::max_element(sizes.begin() + 1, sizes.end()) - sizes.begin());
}

ICHDET_INLINE Array3<std::uint8_t> Components::mask(std::int32_t label) const {
  Array3<std::uint8_t> result(labels.shape());
  std::transform(labels.begin(), labels.end(), result.begin(), [label](std::int32_t v) { return v == label; });
  return result;
}

ICHDET_INLINE Components connected_components(const Array3<std::uint8_t>& mask, Connectivity connectivity) {
  const auto [nz, ny, nx] = mask.shape();
  std::vector<detail::Run> runs;
  std::vector<std::int64_t> row_start(std::size_t(nz * ny) + 1, 0);
  for (std::int64_t row = 0; row < nz * ny; ++row) {
    row_start[std::size_t(row)] = std::int64_t(runs.size());
    const std::uint8_t* values = mask.data() + row * nx;
    for (std::int64_t x = 0; x < nx;) {
      if (values[x] == 0) {
        ++x;
        continue;
      }
      const auto first = x;
      while (x < nx && values[x] != 0) ++x;
      runs.push_back({std::int32_t(first), std::int32_t(x), std::int32_t(runs.size())});
    }
    if (runs.size() > std::size_t(std::numeric_limits<std::int32_t>::max())) {
      throw Error(ErrorCode::limit, "connected components: expected fewer than 2^31 runs of voxels");
    }
  }
  row_start.back() = std::int64_t(runs.size());

  const std::int32_t diagonal = connectivity == Connectivity::faces ? 0 : 1;
  const auto join = [&](std::int64_t row, std::int64_t other, std::int32_t reach) {
    detail::join_rows(runs, row_start[std::size_t(other)], row_start[std::size_t(other) + 1],
                      row_start[std::size_t(row)], row_start[std::size_t(row) + 1], reach);
  };
  for (std::int64_t z = 0; z < nz; ++z) {
    for (std::int64_t y = 0; y < ny; ++y) {
      const auto row = z * ny + y;
      if (y > 0) join(row, row - 1, diagonal);
      if (z == 0) continue;
      join(row, row - ny, diagonal);
      if (connectivity == Connectivity::faces) continue;
      const std::int32_t corner = connectivity == Connectivity::corners ? 1 : 0;
      if (y > 0) join(row, row - ny - 1, corner);
      if (y + 1 < ny) join(row, row - ny + 1, corner);
    }
  }

  Components result{Array3<std::int32_t>(mask.shape()), {0}};
  std::vector<std::int32_t> label_of(runs.size());
  std::int64_t inside = 0;
  for (std::int64_t row = 0; row < nz * ny; ++row) {
    for (auto i = row_start[std::size_t(row)]; i < row_start[std::size_t(row) + 1]; ++i) {
      const auto root = detail::find_root(runs, std::int32_t(i));
      if (root == i) {
        label_of[std::size_t(i)] = std::int32_t(result.sizes.size());
        result.sizes.push_back(0);
      }
      const auto label = label_of[std::size_t(root)];
      const auto& run = runs[std::size_t(i)];
      std::fill(result.labels.data() + row * nx + run.first, result.labels.data() + row * nx + run.last, label);
      result.sizes[std::size_t(label)] += run.last - run.first;
      inside += run.last - run.first;
    }
  }
  result.sizes[0] = mask.size() - inside;
  return result;
}

}  // namespace ichdet
