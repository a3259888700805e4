#include <doctest/doctest.h>

#include <algorithm>

#include "ichdet/preprocess/resample.hpp"
#include "pipeline/slabs.hpp"

using namespace ichdet;

namespace {

SliceGeometry slices(int count) {
  std::vector<SlicePlane> planes(std::size_t(count), SlicePlane{});
  for (int k = 0; k < count; ++k) planes[std::size_t(k)].position_mm = {0, 0, 5.0 * k};
  return {planes, 4, 3, "1.2.3"};
}

}  // namespace

TEST_CASE("slabs cover the slices once, in order, and are read as the whole is") {
  const auto all = slices(33);
  const auto slabs = pipeline::slabs(all);
  REQUIRE(slabs.size() == 3);
  CHECK(slabs[1].first == 16);
  CHECK(slabs[2].geometry.count() == 1);  // of unstated thickness, which no single slice may be
  CHECK(slabs[2].geometry.planes()[0].position_mm.z() == 160);
  CHECK(slabs[2].geometry.frame_of_reference_uid() == "1.2.3");

  const auto grid = Geometry::aligned({3, 4, 55}, {1, 1, 3});
  Array3<float> values(grid.shape());
  for (std::int64_t i = 0; i < values.size(); ++i) values.data()[i] = float((i * 37) % 101);
  const auto whole = resample_to(values, grid, all);
  for (const auto& slab : slabs) {
    const auto part = resample_to(values, grid, slab.geometry);
    CHECK(std::equal(part.begin(), part.end(), &whole(slab.first, 0, 0)));
  }
}

TEST_CASE("review names the slices that a classifier finds positive, and where no blood is outlined") {
  SliceLabels labels(Array3<std::uint8_t>({5, 4, 3}), {"background", "ICH", "oedema"}, slices(5));
  labels.labels(1, 0, 0) = 1;
  labels.labels(2, 0, 0) = 2;
  StudyResult result;
  result.blood_labels = {1};
  pipeline::flag_disagreement(result, labels, {false, true, true, true, false});
  REQUIRE(result.review.size() == 1);
  CHECK(result.review[0] == "a slice classifier finds blood where nothing is outlined: slices 2-3");
  pipeline::flag_disagreement(result, labels, {false, true, false, false, false});
  CHECK(result.review.size() == 1);
}
