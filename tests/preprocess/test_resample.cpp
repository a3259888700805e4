#include <doctest/doctest.h>

#include "ichdet/core/error.hpp"
#include "ichdet/preprocess/resample.hpp"

using namespace ichdet;

TEST_CASE("linear reads between voxels, clamps to half a voxel and stops there") {
  Array3<float> hu({1, 1, 3});
  hu(0, 0, 0) = 10;
  hu(0, 0, 1) = 20;
  hu(0, 0, 2) = 40;
  const Volume volume(hu, Geometry::aligned({3, 1, 1}, {2, 1, 1}));
  const auto found = resample_to(volume, Geometry::aligned({8, 1, 1}, {1, 1, 1}, {-2, 0, 0}), {.outside = -1.0F});
  const float expected[] = {-1, 10, 10, 15, 20, 30, 40, -1};  // indices -1, -0.5, 0, ... 2, 2.5
  for (int x = 0; x < 8; ++x) CHECK(found.hu(0, 0, x) == expected[x]);
}

TEST_CASE("probabilities return to the slices, class by class") {
  const auto grid = Geometry::aligned({2, 2, 2}, {1, 1, 1});
  Array4<float> values({2, 2, 2, 2}, 0.5F);
  const ProbabilityMap map(values, {"background", "blood"}, grid);
  const auto wider = SliceGeometry(grid.crop({-3, 0, 0}, {6, 2, 2}));
  const auto found = resample_to(map, wider);
  CHECK(found.shape() == Array4<float>::Shape{2, 2, 2, 6});
  CHECK(found(0, 0, 0, 0) == 1);
  CHECK(found(1, 0, 0, 0) == 0);
  CHECK(found(1, 1, 1, 4) == 0.5F);
}

TEST_CASE("labels survive the way to a finer grid and back") {
  const auto grid = Geometry::aligned({5, 4, 3}, {0.9, 0.9, 5});
  Array3<std::uint8_t> labels(grid.shape());
  for (std::int64_t i = 0; i < labels.size(); ++i) labels.data()[i] = std::uint8_t(i % 4);
  const LabelMap map(labels, {"background", "a", "b", "c"}, grid);
  const auto fine = resample_to(map, grid.with_spacing({0.3, 0.3, 1}));
  const auto back = resample_to(fine, SliceGeometry(grid));
  CHECK(std::equal(labels.begin(), labels.end(), back.labels.begin()));
}

TEST_CASE("two frames of reference do not mix") {
  const Geometry a({2, 2, 2}, Eigen::Matrix4d::Identity(), "1.2");
  const Geometry b({2, 2, 2}, Eigen::Matrix4d::Identity(), "1.3");
  CHECK_THROWS_WITH_AS(resample_to(Volume(Array3<float>({2, 2, 2}), a), b),
                       "resampling, frame of reference: expected 1.2, found 1.3", Error);
}
