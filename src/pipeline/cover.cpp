#include "cover.hpp"

#include <algorithm>
#include <numeric>

namespace ichdet::pipeline {
namespace {

using Triple = std::array<std::int64_t, 3>;

struct Cutter {
  const Cells& cells;
  std::int64_t rim, most_voxels;
  std::vector<Box> boxes;  // of voxels

  /// The smallest box of cells that holds the marked ones of this box; empty (size 0) where there is none.
  Box tight(const Box& box) const {
    Triple low{box.begin[0] + box.size[0], box.begin[1] + box.size[1], box.begin[2] + box.size[2]}, high = box.begin;
    for (auto z = box.begin[0]; z < box.begin[0] + box.size[0]; ++z) {
      for (auto y = box.begin[1]; y < box.begin[1] + box.size[1]; ++y) {
        for (auto x = box.begin[2]; x < box.begin[2] + box.size[2]; ++x) {
          if (cells.marked(z, y, x) == 0) continue;
          const Triple at{z, y, x};
          for (std::size_t axis = 0; axis < 3; ++axis) {
            low[axis] = std::min(low[axis], at[axis]);
            high[axis] = std::max(high[axis], at[axis] + 1);
          }
        }
      }
    }
    if (low[0] >= high[0]) return {box.begin, {}};
    return {low, {high[0] - low[0], high[1] - low[1], high[2] - low[2]}};
  }

  double cost(const Box& box) const {
    if (box.size[0] == 0) return 0;
    double product = 1;
    for (const auto n : box.size) product *= double(n * cells.side + rim);
    return product;
  }

  bool too_large(const Box& box) const {
    const auto voxels = box.size[0] * box.size[1] * box.size[2] * cells.side * cells.side * cells.side;
    return voxels > most_voxels && box.size != Triple{1, 1, 1};
  }

  void cut(const Box& box) {
    if (box.size[0] == 0) return;
    double least = too_large(box) ? std::numeric_limits<double>::infinity() : cost(box);
    std::array<Box, 2> halves{};
    bool better = false;
    for (std::size_t axis = 0; axis < 3; ++axis) {
      for (std::int64_t at = 1; at < box.size[axis]; ++at) {
        Box first = box, second = box;
        first.size[axis] = at;
        second.begin[axis] += at;
        second.size[axis] -= at;
        first = tight(first);
        second = tight(second);
        // Halves that are too large themselves will be cut again, at the price of more rim: even cuts come first.
        double sum = cost(first) + cost(second);
        if (too_large(box)) sum += std::max(cost(first), cost(second)) * 0.5;
        if (sum >= least) continue;
        least = sum;
        halves = {first, second};
        better = true;
      }
    }
    if (better) {
      for (const auto& half : halves) cut(half);
      return;
    }
    Box voxels;
    for (std::size_t axis = 0; axis < 3; ++axis) {
      voxels.begin[axis] = box.begin[axis] * cells.side;
      voxels.size[axis] = box.size[axis] * cells.side;
    }
    boxes.push_back(voxels);
  }
};

}  // namespace

Cells::Cells(const Triple& voxels, std::int64_t side_voxels)
    : marked({(voxels[0] + side_voxels - 1) / side_voxels, (voxels[1] + side_voxels - 1) / side_voxels,
              (voxels[2] + side_voxels - 1) / side_voxels}),
      side(side_voxels) {}

std::int64_t Cells::count() const { return std::count(marked.begin(), marked.end(), std::uint8_t{1}); }

Cells cells_of(const Array3<std::uint8_t>& mask, std::int64_t side) {
  Cells cells(mask.shape(), side);
  for (std::int64_t z = 0; z < mask.extent(0); ++z) {
    for (std::int64_t y = 0; y < mask.extent(1); ++y) {
      for (std::int64_t x = 0; x < mask.extent(2); ++x) {
        if (mask(z, y, x) != 0) cells.marked(z / side, y / side, x / side) = 1;
      }
    }
  }
  return cells;
}

void mark_unclear(Cells& cells, std::span<const float> background, const Box& box, const Cells& among,
                  const Triple& voxels, float clear, std::int64_t margin) {
  const auto reached = [&](std::int64_t at, std::size_t axis) {
    return std::array{std::max<std::int64_t>(0, at - margin) / among.side,
                      std::min(voxels[axis] - 1, at + margin) / among.side};
  };
  std::size_t i = 0;
  for (std::int64_t z = box.begin[0]; z < box.begin[0] + box.size[0]; ++z) {
    for (std::int64_t y = box.begin[1]; y < box.begin[1] + box.size[1]; ++y) {
      for (std::int64_t x = box.begin[2]; x < box.begin[2] + box.size[2]; ++x, ++i) {
        if (background[i] >= clear || z >= voxels[0] || y >= voxels[1] || x >= voxels[2]) continue;
        const auto zs = reached(z, 0), ys = reached(y, 1), xs = reached(x, 2);
        for (auto cz = zs[0]; cz <= zs[1]; ++cz) {
          for (auto cy = ys[0]; cy <= ys[1]; ++cy) {
            for (auto cx = xs[0]; cx <= xs[1]; ++cx) cells.marked(cz, cy, cx) = among.marked(cz, cy, cx);
          }
        }
      }
    }
  }
}

bool meets(const Box& box, const Cells& cells) {
  Triple first, end;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    first[axis] = std::max<std::int64_t>(0, box.begin[axis]) / cells.side;
    end[axis] = std::min(cells.marked.extent(axis), (box.begin[axis] + box.size[axis] - 1) / cells.side + 1);
  }
  for (auto z = first[0]; z < end[0]; ++z) {
    for (auto y = first[1]; y < end[1]; ++y) {
      for (auto x = first[2]; x < end[2]; ++x) {
        if (cells.marked(z, y, x) != 0) return true;
      }
    }
  }
  return false;
}

std::vector<Box> cover(const Cells& cells, std::int64_t rim, std::int64_t most_voxels) {
  Cutter cutter{cells, rim, most_voxels, {}};
  cutter.cut(cutter.tight({{}, cells.marked.shape()}));
  return cutter.boxes;
}

}  // namespace ichdet::pipeline
