#include <doctest/doctest.h>

#include "ichdet/core/error.hpp"
#include "ichdet/preprocess/masks.hpp"
#include "ichdet/preprocess/morphology.hpp"

using namespace ichdet;

namespace {

/// A box of scalp, skull and brain beside a thin table.
Volume boxed_head() {
  const auto grid = Geometry::aligned({100, 100, 12}, {2, 2, 5});
  Array3<float> hu(grid.shape(), -1000);
  for (int z = 0; z < 12; ++z) {
    for (int y = 0; y < 100; ++y) {
      for (int x = 0; x < 100; ++x) {
        const int edge = std::min({x - 10, 79 - x, y - 10, 79 - y});
        if (edge >= 0) hu(z, y, x) = edge < 2 ? 40 : edge < 6 ? 900 : 33;
        if (y == 90) hu(z, y, x) = 200;
      }
    }
  }
  return Volume(hu, grid);
}

}  // namespace

TEST_CASE("the head leaves the table, the brain leaves the skull") {
  const auto volume = boxed_head();
  const auto head = head_mask(volume);
  const auto brain = brain_mask(volume);
  CHECK(head(6, 40, 40) == 1);
  CHECK(head(6, 90, 40) == 0);
  CHECK(brain(6, 40, 40) == 1);
  CHECK(brain(6, 40, 17) == 1);
  CHECK(brain(6, 40, 14) == 0);
  CHECK(brain(6, 40, 10) == 0);
  CHECK(brain(0, 40, 40) == 1);
  const auto box = foreground_box(brain, 1);
  REQUIRE(box.has_value());
  CHECK(box->first == std::array<std::int64_t, 3>{15, 15, 0});
  CHECK(box->size == std::array<std::int64_t, 3>{60, 60, 12});
  CHECK(crop(volume, *box).hu(0, 0, 0) == 900);
  CHECK_THROWS_AS(crop(volume, {{50, 0, 0}, {51, 1, 1}}), Error);
}

TEST_CASE("balls are round in mm, whatever the voxels") {
  Array3<std::uint8_t> mask({9, 21, 21});
  mask(4, 10, 10) = 1;
  const auto ball = dilate(mask, 3, {1, 1, 2});
  CHECK(ball(4, 10, 13) == 1);
  CHECK(ball(4, 12, 12) == 1);
  CHECK(ball(4, 13, 11) == 0);
  CHECK(ball(5, 10, 12) == 1);
  CHECK(ball(6, 10, 10) == 0);
  CHECK_THROWS_AS(dilate(mask, -1, {1, 1, 1}), Error);
}
