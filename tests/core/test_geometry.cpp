#include <doctest/doctest.h>

#include "ichdet/core/error.hpp"
#include "ichdet/core/geometry.hpp"
#include "ichdet/core/slice_stack.hpp"

using namespace ichdet;

TEST_CASE("a geometry maps indices to LPS and back") {
  Eigen::Matrix4d affine = Eigen::Matrix4d::Identity();
  affine.topLeftCorner<3, 3>() << 0.5, 0, 0, 0, 0.4, -0.8, 0, 0.1, 4.0;
  affine.topRightCorner<3, 1>() << -100, -120, 30;
  const Geometry grid({512, 400, 30}, affine, "1.2.3");
  const Eigen::Vector3d index(17.5, 3, 29);
  CHECK((grid.to_index(grid.to_lps(index)) - index).norm() < 1e-10);
  CHECK(grid.crop({10, -2, 3}, {5, 5, 5}).to_lps({0, 0, 0}).isApprox(grid.to_lps({10, -2, 3})));
  CHECK(grid.shape() == std::array<std::int64_t, 3>{30, 400, 512});
}

TEST_CASE("with_spacing follows blast-ct's size rule, half to even") {
  const auto grid = Geometry::aligned({256, 256, 32}, {0.94, 0.94, 5.0});
  CHECK(grid.with_spacing({1, 1, 1}).size() == Geometry::Size{241, 241, 156});  // 255 * 0.94 + 1 = 240.7; 31 * 5 + 1
  CHECK(Geometry::aligned({2, 2, 2}, {1.5, 2.5, 3.5}).with_spacing({1, 1, 1}).size() == Geometry::Size{2, 4, 4});
}

TEST_CASE("reorienting keeps every voxel in its place") {
  Eigen::Matrix4d affine = Eigen::Matrix4d::Zero();
  affine(2, 0) = -1.0;  // x runs to the feet
  affine(0, 1) = 2.0;   // y to the left
  affine(1, 2) = -3.0;  // z to the front
  affine(3, 3) = 1;
  const Geometry grid({4, 5, 6}, affine);
  const auto lps = grid.reoriented_to_lps();
  CHECK(lps.size() == Geometry::Size{5, 6, 4});
  CHECK(lps.spacing_mm().isApprox(Eigen::Vector3d(2, 3, 1)));
  CHECK(lps.direction().isIdentity());
  CHECK(lps.origin_mm().isApprox(grid.to_lps({3, 0, 5})));
}

TEST_CASE("bad geometries are refused by name") {
  CHECK_THROWS_WITH_AS(Geometry::aligned({0, 1, 1}, {1, 1, 1}),
                       "grid size: expected at least 1 voxel per axis, found 0", Error);
  CHECK_THROWS_AS(Geometry::aligned({1, 1, 1}, {1, 0, 1}), Error);
}

namespace {
std::vector<SlicePlane> planes_at(const std::vector<double>& z) {
  std::vector<SlicePlane> planes(z.size());
  for (std::size_t i = 0; i < z.size(); ++i) planes[i].position_mm.z() = z[i];
  return planes;
}
}  // namespace

TEST_CASE("a stack keeps variable gaps") {
  const SliceGeometry slices(planes_at({0, 4, 8, 15}), 2, 2);
  CHECK(slices.extents_mm() == std::vector<double>{4, 4, 5.5, 7});
  CHECK(slices.nominal_gap_mm() == 4);
  CHECK_FALSE(slices.regular().has_value());
  CHECK(slices.nominal().spacing_mm().z() == doctest::Approx(5));
  CHECK_THROWS_AS(SliceGeometry(planes_at({0, 4, 4}), 2, 2), Error);
  CHECK_THROWS_AS(SliceGeometry(planes_at({0}), 2, 2), Error);
}

TEST_CASE("a tilted stack is a sheared grid") {
  auto planes = planes_at({0, 5, 10});
  for (auto& plane : planes) plane.along_column = Eigen::Vector3d(0, 0.9510565163, 0.3090169944);
  const SliceGeometry slices(planes, 8, 8);
  CHECK(slices.tilt_degrees() == doctest::Approx(18).epsilon(1e-6));
  REQUIRE(slices.regular().has_value());
  CHECK(slices.regular()->to_lps({0, 0, 2}).isApprox(Eigen::Vector3d(0, 0, 10)));
  const SliceGeometry again(*slices.regular());
  CHECK(again.offsets_mm()[2] == doctest::Approx(slices.offsets_mm()[2]));
}
