#include <doctest/doctest.h>

#include "ichdet/preprocess/grid.hpp"

using namespace ichdet;

namespace {

SliceGeometry stack(const std::vector<double>& z, double tilt_radians = 0) {
  std::vector<SlicePlane> planes(z.size());
  for (std::size_t i = 0; i < z.size(); ++i) {
    planes[i].position_mm = Eigen::Vector3d(-120, -110, z[i]);
    planes[i].along_column = Eigen::Vector3d(0, std::cos(tilt_radians), std::sin(tilt_radians));
    planes[i].column_spacing_mm = 0.94;
    planes[i].row_spacing_mm = 0.94;
    planes[i].thickness_mm = 5;
  }
  return SliceGeometry(planes, 256, 256);
}

}  // namespace

TEST_CASE("a straight stack gets blast-ct's grid") {
  const auto slices = stack({10, 15, 20, 25});
  const auto grid = segmentation_grid(slices, {1, 1, 1});
  CHECK(grid.same_as(slices.regular()->with_spacing({1, 1, 1})));
  CHECK(grid.size() == Geometry::Size{241, 241, 16});
}

TEST_CASE("flipped rows are turned so that the grid runs to +P") {
  auto planes = stack({10, 15}).planes();
  for (auto& plane : planes) {
    plane.along_row = -Eigen::Vector3d::UnitX();
    plane.along_column = -Eigen::Vector3d::UnitY();
  }
  const auto grid = segmentation_grid(SliceGeometry(planes, 256, 256), {1, 1, 1});
  CHECK(grid.direction().isIdentity(1e-12));
  CHECK(grid.origin_mm().isApprox(Eigen::Vector3d(-120 - 255 * 0.94, -110 - 255 * 0.94, 10), 1e-9));
}

TEST_CASE("a tilted stack is covered, in the slices' own frame") {
  const auto slices = stack({0, 5, 10, 22}, 0.3);
  const auto grid = segmentation_grid(slices, {1, 1, 1});
  CHECK(grid.direction().col(2).isApprox(slices.normal()));
  for (const auto& plane : slices.planes()) {
    for (const double corner : {0.0, 255.0}) {
      const auto index = grid.to_index(plane.to_lps(corner, corner));
      for (int axis = 0; axis < 3; ++axis) {
        CHECK(index[axis] > -0.51);
        CHECK(index[axis] < double(grid.size()[axis]) - 0.49);
      }
    }
  }
}

TEST_CASE("a single slice is as thick as it says") {
  const auto grid = segmentation_grid(stack({10}), {1, 1, 1});
  CHECK(grid.size()[2] == 5);
  CHECK(grid.origin_mm().z() == doctest::Approx(8));
}
