#include <doctest/doctest.h>

#include <cmath>

#include "ichdet/core/error.hpp"
#include "ichdet/evaluate/localisation.hpp"

// Parity with NumPy, SciPy and scikit-learn is in tests/python/test_explanation_judging.py.
using namespace ichdet;
using namespace ichdet::evaluate;
using doctest::Approx;

namespace {

Mask corner(std::int64_t side, std::int64_t size = 10) {
  Mask mask({1, size, size});
  for (std::int64_t y = 0; y < side; ++y) {
    for (std::int64_t x = 0; x < side; ++x) mask(0, y, x) = 1;
  }
  return mask;
}

PointingOptions within(double tolerance, const Eigen::Vector3d& spacing = {1, 1, 1}) { return {tolerance, spacing}; }

}  // namespace

TEST_CASE("a maximum within the tolerance is a hit, and chance is the share of such pixels") {
  const auto mask = corner(2);
  Array3<float> map({1, 10, 10});
  map(0, 4, 1) = 1;  // three rows below the mask
  CHECK(pointing_game(map, mask, within(2.9)).hit == 0);
  CHECK(pointing_game(map, mask, within(3)).hit == 1);
  CHECK(pointing_game(map, mask, within(0)).chance == Approx(0.04));
  CHECK(pointing_game(map, mask, within(1)).chance == Approx(0.08));  // two pixels at each of two sides
  CHECK(pointing_game(map, mask, within(2, {1, 0.5, 1})).hit == 1);   // 1.5 mm
  CHECK(pointing_game(map, mask, within(2, {1, 2, 1})).hit == 0);
}

TEST_CASE("maps that say nothing are worth what chance is") {
  const auto mask = corner(3);
  for (const float level : {0.F, -1.F, 2.F}) {
    const Array3<float> flat({1, 10, 10}, level);
    const auto pointing = pointing_game(flat, mask, within(1.5));
    CHECK(pointing.hit == Approx(pointing.chance));
    CHECK(pointing.maxima == 100);
    CHECK(energy_inside(flat, mask) == Approx(0.09));
    CHECK(equal_area(flat, mask).precision == Approx(0.09));
    CHECK(pixel_auc(flat, mask) == Approx(0.5));
    CHECK(std::isnan(rank_correlation(flat, flat)));
  }
}

TEST_CASE("the mask as its own map, and its negative") {
  const auto mask = corner(3);
  Array3<float> map({1, 10, 10}), negative({1, 10, 10});
  for (std::int64_t i = 0; i < 100; ++i) {
    map.data()[i] = float(mask.data()[i]);
    negative.data()[i] = 1 - map.data()[i];
  }
  CHECK(pointing_game(map, mask).hit == 1);
  CHECK(energy_inside(map, mask) == 1);
  CHECK(equal_area(map, mask).iou == 1);
  CHECK(pixel_auc(map, mask) == 1);
  CHECK(rank_correlation(map, map) == Approx(1));
  CHECK(pointing_game(negative, mask, within(0)).hit == 0);
  CHECK(energy_inside(negative, mask) == 0);
  CHECK(equal_area(negative, mask).iou == 0);
  CHECK(pixel_auc(negative, mask) == 0);
  CHECK(rank_correlation(map, negative) == Approx(-1));
}

TEST_CASE("negative values carry no energy, and ties at the cut count in part") {
  Mask mask({1, 1, 4});
  mask(0, 0, 0) = mask(0, 0, 1) = 1;
  Array3<float> map({1, 1, 4});
  map(0, 0, 0) = 3;
  map(0, 0, 1) = -5;
  map(0, 0, 2) = 1;
  CHECK(energy_inside(map, mask) == Approx(0.75));
  map(0, 0, 1) = map(0, 0, 2) = map(0, 0, 3) = 1;  // one of three equal ones is taken, and one of them is inside
  CHECK(equal_area(map, mask).precision == Approx((1 + 1.0 / 3) / 2));
}

TEST_CASE("volumes: the ball reaches neighbouring slices") {
  Mask mask({3, 5, 5});
  mask(0, 2, 2) = 1;
  Array3<float> map({3, 5, 5});
  map(2, 2, 2) = 1;
  CHECK(pointing_game(map, mask, within(9.9, {1, 1, 5})).hit == 0);
  CHECK(pointing_game(map, mask, within(10, {1, 1, 5})).hit == 1);
}

TEST_CASE("what cannot be judged is refused") {
  const Array3<float> map({1, 10, 10});
  CHECK_THROWS_AS(energy_inside(map, corner(3, 9)), Error);
  CHECK_THROWS_AS(energy_inside(map, Mask({1, 10, 10})), Error);
  CHECK_THROWS_AS(energy_inside(map, corner(10)), Error);
  CHECK_THROWS_AS(pointing_game(map, corner(3), within(-1)), Error);
  CHECK_THROWS_AS(pointing_game(map, corner(3), within(1, {0, 1, 1})), Error);
  Array3<float> broken({1, 10, 10});
  broken(0, 1, 1) = NAN;
  CHECK_THROWS_AS(pixel_auc(broken, corner(3)), Error);
}
