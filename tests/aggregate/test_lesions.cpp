#include <doctest/doctest.h>

#include <cmath>
#include <random>

#include "ichdet/aggregate/lesions.hpp"
#include "ichdet/aggregate/slices.hpp"
#include "ichdet/core/error.hpp"

using namespace ichdet;

namespace {

/// Tilted planes with gaps 4, 4, 7, ... and pixels of 0.5 x 0.8 mm.
SliceGeometry crooked(std::int64_t slices, std::int64_t rows, std::int64_t columns) {
  std::vector<SlicePlane> planes(static_cast<std::size_t>(slices));
  double z = -20;
  for (std::size_t k = 0; k < planes.size(); ++k) {
    planes[k].position_mm = {-30, -40, z};
    planes[k].along_column = Eigen::Vector3d(0, std::cos(0.3), std::sin(0.3));
    planes[k].column_spacing_mm = 0.5;
    planes[k].row_spacing_mm = 0.8;
    planes[k].sop_instance_uid = "1.2." + std::to_string(k);
    z += k % 3 == 2 ? 7 : 4;
  }
  return SliceGeometry(planes, rows, columns);
}

}  // namespace

TEST_CASE("a box has the volume, centroid, diameter and confidence that arithmetic gives") {
  const auto slices = crooked(6, 20, 30);
  SliceLabels labels(Array3<std::uint8_t>(slices.shape()), {"background", "IPH", "IVH"}, slices);
  Array3<float> probability(slices.shape(), 0.1f);
  for (std::int64_t k = 1; k <= 3; ++k) {
    for (std::int64_t r = 4; r < 8; ++r) {
      for (std::int64_t c = 10; c < 20; ++c) {
        labels.labels(k, r, c) = 1;
        probability(k, r, c) = 0.75f;
      }
    }
  }
  labels.labels(5, 19, 29) = 2;
  const auto found = lesions(labels, probability);
  REQUIRE(found.size() == 2);
  const auto extents = slices.extents_mm();
  const double per_mm = 40 * 0.5 * 0.8 / 1000;
  CHECK(found[0].label == "IPH");
  CHECK(found[0].volume_ml == doctest::Approx(per_mm * (extents[1] + extents[2] + extents[3])));
  CHECK(found[0].confidence == doctest::Approx(0.75));
  CHECK(found[0].slices == std::vector<std::int64_t>{1, 2, 3});
  CHECK_FALSE(found[0].calibrated);
  Eigen::Vector3d centroid = Eigen::Vector3d::Zero();
  for (std::size_t k = 1; k <= 3; ++k) centroid += slices.planes()[k].to_lps(5.5, 14.5) * extents[k];
  CHECK(found[0].centroid_mm.isApprox(centroid / (extents[1] + extents[2] + extents[3])));
  const auto& planes = slices.planes();
  const double across = std::max((planes[1].to_lps(4, 10) - planes[3].to_lps(7, 19)).norm(),
                                 (planes[1].to_lps(7, 10) - planes[3].to_lps(4, 19)).norm());
  CHECK(found[0].diameter_mm == doctest::Approx(across + std::sqrt(0.5 * 0.8)));
  CHECK(found[1].label == "IVH");
  CHECK(found[1].diameter_mm == doctest::Approx(std::sqrt(0.5 * 0.8)));

  const auto volumes = volumes_ml(labels);
  CHECK(volumes.size() == 2);
  CHECK(volumes.at("IPH") == doctest::Approx(found[0].volume_ml));
  CHECK(volumes.at("IVH") == doctest::Approx(found[1].volume_ml));
  CHECK(lesions(labels, probability, {0.01, {}}).size() == 1);
  CHECK(lesions(labels, probability, {0, {2}}).front().label == "IVH");
}

TEST_CASE("pieces join across corners, and labels never join") {
  const auto slices = crooked(3, 4, 4);
  SliceLabels labels(Array3<std::uint8_t>(slices.shape()), {"background", "a", "b"}, slices);
  labels.labels(0, 0, 0) = labels.labels(1, 1, 1) = 1;
  labels.labels(2, 2, 2) = 2;
  const auto found = lesions(labels, Array3<float>(slices.shape(), 1.0f));
  REQUIRE(found.size() == 2);
  CHECK(found[0].slices == std::vector<std::int64_t>{0, 1});
  CHECK(found[1].label == "b");
}

TEST_CASE("the diameter equals the longest of all pairs") {
  std::mt19937 random(7);
  for (int round = 0; round < 20; ++round) {
    const auto slices = crooked(4, 12, 15);
    SliceLabels labels(Array3<std::uint8_t>(slices.shape()), {"background", "a"}, slices);
    for (auto& value : labels.labels) value = random() % 100 < 45;
    const auto found = lesions(labels, Array3<float>(slices.shape(), 1.0f));
    REQUIRE_FALSE(found.empty());
    std::vector<Eigen::Vector3d> points;
    for (std::int64_t k = 0; k < 4; ++k) {
      for (std::int64_t r = 0; r < 12; ++r) {
        for (std::int64_t c = 0; c < 15; ++c) {
          if (labels.labels(k, r, c) != 0)
            points.push_back(slices.planes()[std::size_t(k)].to_lps(double(r), double(c)));
        }
      }
    }
    double longest = 0;
    for (const auto& a : points) {
      for (const auto& b : points) longest = std::max(longest, (a - b).norm());
    }
    // At 45 % nearly all pixels are one piece; where a round has several, the pieces' longest is at most the set's.
    if (found.size() == 1) {
      CHECK(found[0].diameter_mm == doctest::Approx(longest + std::sqrt(0.4)));
    } else {
      CHECK(found[0].diameter_mm <= longest + std::sqrt(0.4) + 1e-9);
    }
  }
}

TEST_CASE("a slice's score is the mean of its highest probabilities") {
  const auto slices = crooked(3, 5, 5);
  Array3<float> probability(slices.shape(), 0.0f);
  for (std::int64_t i = 0; i < 25; ++i) probability.plane(1)[std::size_t(i)] = float(i) / 25;
  probability(2, 0, 0) = 1;
  const auto scores = slice_scores(probability, slices);
  REQUIRE(scores.size() == 3);
  CHECK(scores[0].probability == 0);
  CHECK(scores[1].probability == doctest::Approx((5 + 24) / 2.0 / 25));
  CHECK(scores[2].probability == doctest::Approx(1.0 / 20));
  CHECK(scores[2].index == 2);
  CHECK(scores[2].sop_instance_uid == "1.2.2");
  CHECK(scores[2].z_mm == doctest::Approx(slices.planes()[2].to_lps(2, 2).z()));
  CHECK(slice_scores(probability, slices, 100)[2].probability == doctest::Approx(1.0 / 25));

  const auto decision = decide_by_highest_slice(scores);
  CHECK(decision.positive);
  CHECK(decision.probability == scores[1].probability);
  CHECK_FALSE(decision.calibrated);
  CHECK(decision.rule == "highest slice probability >= 0.5");
  CHECK_FALSE(decide_by_highest_slice(scores, 0.6).positive);
  CHECK_FALSE(decide_by_highest_slice({}, 0).positive);
}

TEST_CASE("what does not fit is refused") {
  const auto slices = crooked(2, 3, 3);
  SliceLabels labels(Array3<std::uint8_t>(slices.shape()), {"background", "a"}, slices);
  const Array3<float> probability(slices.shape(), 0.5f);
  CHECK_THROWS_AS(lesions(labels, Array3<float>({2, 3, 4})), Error);
  CHECK_THROWS_WITH_AS(lesions(labels, probability, {0, {2}}),
                       "LesionOptions.labels: expected labels from 1 to 1, found 2", Error);
  CHECK_THROWS_AS(lesions(labels, probability, {0, {0}}), Error);
  labels.labels(1, 1, 1) = 3;
  CHECK_THROWS_WITH_AS(volumes_ml(labels), "labels, slice 1: expected values below 2, the number of names, found 3",
                       Error);
  CHECK_THROWS_AS(slice_scores(probability, slices, 0), Error);
  CHECK_THROWS_AS(slice_scores(Array3<float>(slices.shape(), std::nanf("")), slices), Error);
}
