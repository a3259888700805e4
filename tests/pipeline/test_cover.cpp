#include "pipeline/cover.hpp"

#include <doctest/doctest.h>

#include <cstdlib>

using namespace ichdet;
using namespace ichdet::pipeline;

namespace {

/// How often each voxel of the grid lies in a box; boxes may reach beyond it by less than a cell.
Array3<std::uint8_t> times_covered(const std::vector<Box>& boxes, const Cells& cells) {
  Array3<std::uint8_t> times(cells.marked.shape());
  for (const auto& box : boxes) {
    for (std::size_t axis = 0; axis < 3; ++axis) {
      CHECK(box.begin[axis] % cells.side == 0);
      CHECK(box.size[axis] % cells.side == 0);
    }
    for (auto z = box.begin[0] / cells.side; z < (box.begin[0] + box.size[0]) / cells.side; ++z) {
      for (auto y = box.begin[1] / cells.side; y < (box.begin[1] + box.size[1]) / cells.side; ++y) {
        for (auto x = box.begin[2] / cells.side; x < (box.begin[2] + box.size[2]) / cells.side; ++x) ++times(z, y, x);
      }
    }
  }
  return times;
}

double work(const std::vector<Box>& boxes, std::int64_t rim) {
  double sum = 0;
  for (const auto& box : boxes)
    sum += double(box.size[0] + rim) * double(box.size[1] + rim) * double(box.size[2] + rim);
  return sum;
}

/// An ellipsoid that fills a grid of voxels.
Array3<std::uint8_t> ellipsoid(const std::array<std::int64_t, 3>& size) {
  Array3<std::uint8_t> mask(size);
  for (std::int64_t z = 0; z < size[0]; ++z) {
    for (std::int64_t y = 0; y < size[1]; ++y) {
      for (std::int64_t x = 0; x < size[2]; ++x) {
        double r = 0;
        for (const auto& [at, n] : {std::pair{z, size[0]}, {y, size[1]}, {x, size[2]}}) {
          const double d = (double(at) + 0.5) / (double(n) / 2) - 1;
          r += d * d;
        }
        mask(z, y, x) = r <= 1;
      }
    }
  }
  return mask;
}

}  // namespace

TEST_CASE("every marked cell is covered once, for less work than the bounding box") {
  const auto cells = cells_of(ellipsoid({145, 213, 199}), 15);
  const auto boxes = cover(cells, 12, 800'000);
  const auto times = times_covered(boxes, cells);
  for (std::int64_t i = 0; i < times.size(); ++i) {
    CHECK(times.data()[i] >= cells.marked.data()[i]);
    CHECK(times.data()[i] <= 1);
  }
  for (const auto& box : boxes) CHECK(box.size[0] * box.size[1] * box.size[2] <= 800'000);
  // Eight equal patches of the bounding box, as large as allowed.
  const double plain = 8 * (75 + 12.) * (120 + 12.) * (105 + 12.);
  CHECK(work(boxes, 12) < 0.95 * plain);
}

TEST_CASE("random cells are covered once, whatever the limit") {
  std::srand(4);
  for (const std::int64_t most : {1, 30'000, 1'000'000}) {
    Cells cells({40, 61, 50}, 10);
    for (auto& cell : cells.marked) cell = std::rand() % 4 == 0;
    const auto boxes = cover(cells, 5, most);
    const auto times = times_covered(boxes, cells);
    std::int64_t lacking = 0, twice = 0;
    for (std::int64_t i = 0; i < times.size(); ++i) {
      lacking += times.data()[i] < cells.marked.data()[i];
      twice += times.data()[i] > 1;
    }
    CHECK(lacking == 0);
    CHECK(twice == 0);
    if (most == 1) CHECK(std::int64_t(boxes.size()) == cells.count());
  }
  CHECK(cover(Cells({40, 61, 50}, 10), 5, 1000).empty());
}

TEST_CASE("a voxel that is not clear background marks its cell and those it is near to, among those computed") {
  const std::array<std::int64_t, 3> size{20, 20, 23};
  Array3<float> background(size, 1.f);
  background(4, 5, 9) = 0.89f;    // two voxels from the next cell on x
  background(15, 15, 22) = 0.2f;  // in the last, partial cell
  background(0, 12, 0) = 0.9f;    // clear
  Cells among(size, 10);
  std::fill(among.marked.begin(), among.marked.end(), std::uint8_t{1});
  const std::span<const float> values(background.data(), std::size_t(background.size()));
  const auto unclear = [&](std::int64_t margin) {
    Cells cells(size, 10);
    mark_unclear(cells, values, {{}, size}, among, size, 0.9f, margin);
    return cells;
  };
  const auto cells = unclear(2);
  CHECK(cells.count() == 3);
  CHECK(cells.marked(0, 0, 0) == 1);
  CHECK(cells.marked(0, 0, 1) == 1);
  CHECK(cells.marked(1, 1, 2) == 1);
  CHECK(meets({{0, 0, 12}, {3, 3, 3}}, cells));
  CHECK(meets({{-5, -5, -5}, {6, 6, 6}}, cells));
  CHECK(meets({{19, 19, 21}, {50, 50, 50}}, cells));
  CHECK(!meets({{10, 0, 0}, {10, 20, 20}}, cells));
  among.marked(0, 0, 1) = 0;
  CHECK(unclear(2).count() == 2);
  CHECK(unclear(0).count() == 2);

  // A part of the volume, from (0, 0, 5) on and beyond its end on x.
  Cells part(size, 10);
  Array3<float> some({20, 20, 20}, 1.f);
  some(4, 5, 4) = 0.5f;
  some(15, 15, 18) = 0.5f;
  mark_unclear(part, {some.data(), std::size_t(some.size())}, {{0, 0, 5}, {20, 20, 20}}, among, size, 0.9f, 0);
  CHECK(part.count() == 1);
  CHECK(part.marked(0, 0, 0) == 1);
}
