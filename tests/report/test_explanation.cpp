#include <doctest/doctest.h>

#include "ichdet/core/error.hpp"
#include "ichdet/report/explanation.hpp"

using namespace ichdet;

namespace {

/// A ball of brain in air, 64 x 64 pixels, three slices.
SliceStack scan() {
  Array3<float> hu({3, 64, 64}, -1000);
  for (std::int64_t z = 0; z < 3; ++z) {
    for (std::int64_t r = 0; r < 64; ++r) {
      for (std::int64_t c = 0; c < 64; ++c) {
        if ((r - 32) * (r - 32) + (c - 32) * (c - 32) < 24 * 24) hu(z, r, c) = 35;
      }
    }
  }
  std::vector<SlicePlane> planes(3);
  for (int z = 0; z < 3; ++z) {
    planes[std::size_t(z)].position_mm = {0, 0, 5.0 * z};
    planes[std::size_t(z)].thickness_mm = 5;
    planes[std::size_t(z)].column_spacing_mm = planes[std::size_t(z)].row_spacing_mm = 3;
  }
  return {SliceGeometry(planes, 64, 64), hu};
}

ExplainedSlice explained(std::int64_t slice) {
  ExplainedSlice one{slice, 0.8, Array2f({64, 64}), {}, "adds up"};
  for (std::int64_t i = 20; i < 28; ++i) one.map(30, i) = 2;
  for (int area = 0; area < 3; ++area) {
    Array<std::uint8_t, 2> region({64, 64});
    for (std::int64_t r = 26; r < 34; ++r) std::fill_n(&region(r, 18), 6 + 6 * area, 1);
    one.regions.push_back(region);
  }
  return one;
}

double brightness(const Image& image, std::int64_t first_row, std::int64_t rows, std::int64_t first_column,
                  std::int64_t columns) {
  double sum = 0;
  for (auto r = first_row; r < first_row + rows; ++r) {
    for (auto c = first_column; c < first_column + columns; ++c) sum += image.at(r, c)[0];
  }
  return sum / double(rows * columns);
}

}  // namespace

TEST_CASE("scan, map and what is left of it lie side by side, slice under slice") {
  const auto stack = scan();
  const std::vector<ExplainedSlice> slices{explained(0), explained(2)};
  const auto image = render_explanation(stack, slices);
  CHECK(bool(image.pixels == render_explanation(stack, slices).pixels));
  constexpr std::int64_t tile = 230, gap = 4, top = 84;
  CHECK(image.columns == 5 * (tile + gap) + gap + 290);
  const auto column = [&](int i) {
    return brightness(image, top + tile / 2, 20, gap + i * (tile + gap) + 3 * tile / 4, 20);
  };
  CHECK(column(2) < 0.5 * column(0));  // darkened outside of the region
  CHECK(column(3) < 0.5 * column(0));
  auto other = slices;
  other[0].map(40, 40) = 2;
  const auto changed = render_explanation(stack, other);
  for (std::int64_t r = 0; r < image.rows; ++r) {
    for (std::int64_t c = 0; c < image.columns; ++c) {
      const bool map_of_first = r >= top && r < top + tile * 2 && c >= gap + tile && c < 2 * (gap + tile);
      if (!map_of_first) REQUIRE(image.at(r, c)[0] == changed.at(r, c)[0]);
    }
  }
  CHECK(bool(image.pixels != changed.pixels));
}

TEST_CASE("a reference's outline is drawn beside the scan, not on it") {
  const auto stack = scan();
  const std::vector<ExplainedSlice> slices{explained(1)};
  Array3<std::uint8_t> labels({3, 64, 64});
  for (std::int64_t r = 36; r < 48; ++r) std::fill_n(&labels(1, r, 30), 12, 1);
  const SliceLabels reference(labels, {"background", "blood"}, stack.geometry);
  const auto without = render_explanation(stack, slices);
  const auto with = render_explanation(stack, slices, {}, reference);
  std::int64_t on_scan = 0, on_map = 0;
  for (std::int64_t r = 84; r < with.rows; ++r) {
    for (std::int64_t c = 4; c < 4 + 2 * 234; ++c) {
      const bool differs = with.at(r, c)[1] != without.at(r, c)[1];
      (c < 4 + 230 ? on_scan : on_map) += differs;
    }
  }
  CHECK(on_scan == 0);
  CHECK(on_map > 50);
}

TEST_CASE("what does not fit is refused") {
  const auto stack = scan();
  CHECK_THROWS_WITH_AS(render_explanation(stack, {}), "explanation: no slice to draw", Error);
  CHECK_THROWS_WITH_AS(render_explanation(stack, std::vector{explained(3)}),
                       "slice to draw: expected 0 to 2, found 3", Error);
  auto small = explained(0);
  small.map = Array2f({8, 8});
  CHECK_THROWS_WITH_AS(render_explanation(stack, std::vector{small}),
                       "map of slice 0: expected the slices' own size, found 8 x 8", Error);
  auto few = explained(0);
  few.regions.pop_back();
  CHECK_THROWS_WITH_AS(render_explanation(stack, std::vector{few}), "regions of slice 0: expected 3, found 2", Error);
}
