#include "ichdet/train/paint_study.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "ichdet/core/error.hpp"
#include "ichdet/phantom/phantom.hpp"

using namespace ichdet;
using namespace ichdet::train;

namespace {

SliceStack healthy_head() {
  PhantomOptions o;
  o.seed = 4;
  o.rows = o.columns = 128;
  o.pixel_mm = 1.8;
  o.slices = 24;
  o.thickness_mm = 6;
  o.subsamples = 3;
  return make_phantom(o).stack;
}

}  // namespace

TEST_CASE("A painted study shows blood where its mask says so, and the scan that came in is as it was") {
  const auto head = healthy_head();
  const auto before = head.hu.clone();
  PaintOptions options;
  options.seed = 5;
  options.threads = 1;
  options.synthesis.further_type = 0;
  const auto type = std::size_t(HemorrhageType::subdural) - 1;
  options.synthesis.type_weights.fill(0);
  options.synthesis.type_weights[type] = 1;
  const auto painted = paint_study(head, options);
  REQUIRE(painted.painted == 1);
  CHECK(std::ranges::equal(head.hu, before));

  double marked = 0, raised = 0;
  std::int64_t slices = 0;
  for (std::int64_t k = 0; k < head.geometry.count(); ++k) {
    const auto labels = painted.truth.labels.plane(k);
    slices += std::ranges::find_if(labels, [](auto label) { return label != 0; }) != labels.end();
    for (std::size_t i = 0; i < labels.size(); ++i) {
      CHECK_MESSAGE((labels[i] == 0 || labels[i] == type + 1 || labels[i] == 6), int(labels[i]));
      if (labels[i] != type + 1) continue;
      ++marked;
      raised += painted.stack.hu.plane(k)[i] - before.plane(k)[i];
    }
  }
  CHECK(marked > 20);
  CHECK(raised / marked > 5);
  CHECK(slices >= 1);
  CHECK(slices <= 4);  // 25 mm of 6 mm slices

  const auto again = paint_study(head, options);
  CHECK(std::ranges::equal(again.stack.hu, painted.stack.hu));
  CHECK(std::ranges::equal(again.truth.labels, painted.truth.labels));
  options.seed = 6;
  CHECK_FALSE(std::ranges::equal(paint_study(head, options).stack.hu, painted.stack.hu));
}

TEST_CASE("What holds no head cannot be painted") {
  auto air = healthy_head();
  std::ranges::fill(air.hu, -1000.0F);
  CHECK_THROWS_AS((void)paint_study(air, {}), Error);
}
