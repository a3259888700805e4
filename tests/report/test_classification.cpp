#include <doctest/doctest.h>

#include <array>
#include <nlohmann/json.hpp>

#include "ichdet/core/error.hpp"
#include "ichdet/report/classification.hpp"
#include "ichdet/report/json.hpp"
#include "ichdet/report/summary.hpp"

using namespace ichdet;

namespace {

StudyResult example() {
  StudyResult result;
  result.version = "0.1.0";
  result.decision.positive = true;
  result.decision.probability = 0.9;
  result.decision.rule = "2 of 5 slices above 0.8";
  result.decision.threshold = 0.8;
  result.decision.slice_threshold = 0.8;
  result.classes = {"none", "hemorrhage, any"};
  for (int k = 0; k < 5; ++k) {
    const double p = std::array{0.1, 0.95, 0.8, 0.9, 0.0}[std::size_t(k)];
    result.slices.push_back({k, 5.0 * k, p, "1.2." + std::to_string(k), k != 4, {}});
    if (k != 4) result.slices.back().classes = {1 - p, p};
  }
  return result;
}

SliceStack head() {
  SlicePlane plane;
  std::vector<SlicePlane> planes;
  for (int k = 0; k < 5; ++k) {
    plane.position_mm = {-40, -50, 5.0 * k};
    plane.row_spacing_mm = plane.column_spacing_mm = 2;
    plane.thickness_mm = 5;
    planes.push_back(plane);
  }
  Array3<float> hu({5, 50, 40}, -1000.f);
  for (std::int64_t k = 0; k < 5; ++k) {
    for (std::int64_t r = 10; r < 40; ++r) {
      for (std::int64_t c = 8; c < 32; ++c) hu(k, r, c) = 30;
    }
  }
  return {SliceGeometry(planes, 50, 40), hu};
}

}  // namespace

TEST_CASE("a classifier's slices are positive above the threshold, not at it") {
  const auto result = example();
  CHECK(slices_to_show(result, 10) == std::vector<std::int64_t>{1, 3});
  CHECK(slices_to_show(result, 1) == std::vector<std::int64_t>{1});
  CHECK(summary(result).find("slices above 0.8: 2 of 5 (1, 3)") != std::string::npos);
  CHECK(finding(result) == "Hemorrhage");
  auto negative = result;
  for (auto& slice : negative.slices) slice.probability /= 2;
  CHECK(slices_to_show(negative, 10) == std::vector<std::int64_t>{1, 2, 3});
  CHECK(slices_to_show({}, 10).empty());
}

TEST_CASE("the slice table is CSV") {
  CHECK(slice_table(example()) ==
        "index,z_mm,probability,positive,computed,none,\"hemorrhage, any\",sop_instance_uid\n"
        "0,0,0.1,0,1,0.9,0.1,1.2.0\n"
        "1,5,0.95,1,1,0.050000000000000044,0.95,1.2.1\n"
        "2,10,0.8,0,1,0.19999999999999996,0.8,1.2.2\n"
        "3,15,0.9,1,1,0.09999999999999998,0.9,1.2.3\n"
        "4,20,0,0,0,,,1.2.4\n");
}

TEST_CASE("a classifier's result reads back as it was written") {
  auto result = example();
  const auto again = study_result_from_json(to_json(result));
  CHECK(to_json_text(again) == to_json_text(result));
  CHECK(again.decision.slice_threshold == 0.8);
  CHECK(!again.slices[4].computed);
  CHECK(again.slices[1].classes == result.slices[1].classes);
  result.class_probabilities = {0.25, 0.75};
  CHECK(study_result_from_json(to_json(result)).class_probabilities == result.class_probabilities);
}

TEST_CASE("the figure shows maps where they were given, and the same bytes again") {
  const auto stack = head();
  const auto result = example();
  std::vector<SliceMap> maps{{1, {}}, {3, {}}};
  const auto plain = render_classification(stack, result, maps);
  CHECK(plain.pixels == render_classification(stack, result, maps).pixels);
  maps[1].values = Array2f({50, 40}, 1.f);
  const auto warm = render_classification(stack, result, maps);
  REQUIRE(warm.rows == plain.rows);
  CHECK(warm.pixels != plain.pixels);
  const auto colour = [&](const Image& image, std::int64_t x, std::int64_t y) {
    const auto* p = &image.pixels[std::size_t((y * image.columns + x) * 3)];
    return std::array{int(p[0]), int(p[1]), int(p[2])};
  };
  const std::int64_t middle = 294 + 120;  // of the first row of tiles
  CHECK(colour(warm, 129, middle) == colour(plain, 129, middle));
  CHECK(colour(warm, 129 + 254, middle) != colour(plain, 129 + 254, middle));
  auto exam = result;
  exam.slices.clear();
  exam.class_probabilities = {0.3, 0.7};
  CHECK(render_classification(stack, exam, {}).pixels != plain.pixels);
  maps[1].values = Array2f({5, 4}, 1.f);
  CHECK_THROWS_WITH_AS(render_classification(stack, result, maps), doctest::Contains("map of slice 3"), Error);
  maps[1] = {9, {}};
  CHECK_THROWS_WITH_AS(render_classification(stack, result, maps), doctest::Contains("slice to draw"), Error);
}
