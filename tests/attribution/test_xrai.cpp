#include "ichdet/attribution/xrai.hpp"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <array>
#include <limits>

#include "ichdet/attribution/felzenszwalb.hpp"
#include "ichdet/core/error.hpp"

// After LibTorch's headers, one of which defines a CHECK too.
#include <doctest/doctest.h>

using namespace ichdet;
using namespace ichdet::attribution;

namespace {

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

at::Tensor halves(std::int64_t height, std::int64_t width) {
  auto image = at::zeros({height, width}, at::kDouble);
  image.narrow(1, width / 2, width - width / 2).fill_(1);
  return image;
}

/// Masks (mask, y, x) of rectangles y0, y1, x0, x1.
at::Tensor rectangles(std::int64_t height, std::int64_t width, const std::vector<std::array<std::int64_t, 4>>& of) {
  auto masks = at::zeros({std::int64_t(of.size()), height, width}, at::kBool);
  for (std::size_t i = 0; i < of.size(); ++i) {
    const auto [y0, y1, x0, x1] = of[i];
    masks[std::int64_t(i)].narrow(0, y0, y1 - y0).narrow(1, x0, x1 - x0).fill_(true);
  }
  return masks;
}

XraiRegionOptions every_pixel(XraiAlgorithm algorithm = XraiAlgorithm::full) { return {algorithm, 1, 1}; }

}  // namespace

TEST_CASE("felzenszwalb: labels count from 0 in the order of first pixels") {
  const auto labels = felzenszwalb(halves(12, 20), {10, 0, 1});
  CHECK((labels.scalar_type() == at::kLong));
  CHECK(at::equal(labels, halves(12, 20).to(at::kLong)));
}

TEST_CASE("felzenszwalb: an image of one value is one segment, and so is one pixel") {
  CHECK(at::equal(felzenszwalb(at::full({5, 7}, 3.0, at::kFloat)), at::zeros({5, 7}, at::kLong)));
  CHECK(at::equal(felzenszwalb(at::zeros({3, 1, 1}, at::kDouble)), at::zeros({1, 1}, at::kLong)));
}

TEST_CASE("felzenszwalb: segments below the minimum join the neighbour that they differ least from") {
  auto image = halves(10, 20);
  image.narrow(0, 4, 2).narrow(1, 9, 1).fill_(0.8);  // at the border, nearer to the right half
  const auto labels = felzenszwalb(image, {0.01, 0, 3});
  CHECK(labels.max().item<std::int64_t>() == 1);
  CHECK(labels[4][9].item<std::int64_t>() == 1);
  CHECK(felzenszwalb(image, {0.01, 0, 1}).max().item<std::int64_t>() == 2);
}

TEST_CASE("felzenszwalb: several scales at once are what each is by itself") {
  at::manual_seed(2);
  const auto image = at::randn({3, 40, 50}, at::kDouble);
  const auto labels = felzenszwalb_scales(image, {20, 300}, {1, 0.8, 10});
  CHECK((labels.sizes() == at::IntArrayRef({2, 40, 50})));
  CHECK(at::equal(labels[0], felzenszwalb(image, {20, 0.8, 10})));
  CHECK(at::equal(labels[1], felzenszwalb(image, {300, 0.8, 10})));
  CHECK_FALSE(at::equal(labels[0], labels[1]));
}

TEST_CASE("felzenszwalb: what it refuses") {
  CHECK_THROWS_WITH_AS(felzenszwalb(at::full({4, 4}, not_a_number, at::kDouble)), doctest::Contains("NaN or infinity"),
                       Error);
  CHECK_THROWS_WITH_AS(felzenszwalb(at::zeros({4, 4}, at::kLong)), doctest::Contains("float32 or float64"), Error);
  CHECK_THROWS_WITH_AS(felzenszwalb(at::zeros({1, 2, 4, 4})), doctest::Contains("(channel, y, x)"), Error);
  CHECK_THROWS_WITH_AS(felzenszwalb(at::zeros({0, 4})), doctest::Contains("with a pixel"), Error);
  CHECK_THROWS_WITH_AS(felzenszwalb(at::zeros({4, 4}), {0, 0.8, 20}), doctest::Contains("scale"), Error);
  CHECK_THROWS_WITH_AS(felzenszwalb(at::zeros({4, 4}), {1, -1, 20}), doctest::Contains("sigma"), Error);
}

TEST_CASE("masks: bits keep what a tensor holds, at the ends of words too") {
  at::manual_seed(3);
  for (const std::int64_t width : {1, 63, 64, 65, 130}) {
    const auto masks = at::rand({3, 4, width}) < 0.5;
    CHECK(at::equal(to_tensor(region_masks(masks)), masks));
  }
  CHECK_THROWS_AS(region_masks(at::zeros({3, 4, 5})), Error);
  CHECK_THROWS_AS(region_masks(at::zeros({4, 5}, at::kBool)), Error);
}

TEST_CASE("masks of labels: one for each from the least to the highest, also where none has it") {
  const auto labels = at::tensor({-1, 1, 1, -1}, at::kLong).view({2, 2});
  const auto masks = to_tensor(masks_of_labels(labels));
  CHECK(at::equal(masks, at::stack({labels == -1, labels == 0, labels == 1})));
  CHECK_THROWS_WITH_AS(masks_of_labels(labels * 1000), doctest::Contains("-1000 to 1000"), Error);
}

TEST_CASE("masks: dilated by a disk, over words and up to the border") {
  auto masks = at::zeros({4, 30, 140}, at::kBool);
  masks[0][15][63] = true;
  masks[1][0][0] = true;
  masks[2][29][139] = true;  // and one that is empty
  for (const std::int64_t radius : {0, 1, 5, 40}) {
    const auto found = to_tensor(dilated(region_masks(masks), radius));
    const auto y = at::arange(30).view({30, 1}), x = at::arange(140).view({1, 140});
    const auto disk = [&](std::int64_t py, std::int64_t px) {
      return (y - py).square() + (x - px).square() <= radius * radius;
    };
    CHECK(at::equal(found, at::stack({disk(15, 63), disk(0, 0), disk(29, 139), at::zeros({30, 140}, at::kBool)})));
  }
  CHECK_THROWS_AS(dilated(region_masks(masks), -1), Error);
}

TEST_CASE("xrai_segments: an image of one value is one segment at each scale") {
  const auto masks = to_tensor(xrai_segments(at::full({1, 30, 40}, 7.0, at::kFloat)));
  CHECK((masks.sizes() == at::IntArrayRef({6, 30, 40})));
  CHECK(masks.all().item<bool>());
  CHECK(to_tensor(xrai_segments(at::zeros({1, 1}, at::kFloat))).all().item<bool>());
}

TEST_CASE("xrai_segments: the image's scale and offset do not matter, and every pixel is in a segment of each scale") {
  at::manual_seed(4);
  const auto image = at::avg_pool2d(at::randn({1, 2, 60, 80}, at::kDouble), 9, 1)[0];
  XraiSegmentOptions options;
  options.scales = {100, 500};
  options.side = 0;
  options.min_size = 30;
  const auto masks = to_tensor(xrai_segments(image, options));
  CHECK(masks.size(0) > 4);
  CHECK((masks.sum(0) >= 2).all().item<bool>());
  CHECK(at::equal(masks, to_tensor(xrai_segments(image * 1024 - 512, options))));
}

TEST_CASE("xrai_segments: what it refuses") {
  const auto image = at::zeros({1, 8, 8});
  const auto refused = [&](auto change) {
    XraiSegmentOptions options;
    change(options);
    CHECK_THROWS_AS(xrai_segments(image, options), Error);
  };
  refused([](auto& o) { o.scales = {}; });
  refused([](auto& o) { o.scales = {-1}; });
  refused([](auto& o) { o.low = 1; });
  refused([](auto& o) { o.low = 0.5; });
  refused([](auto& o) { o.side = -1; });
  refused([](auto& o) { o.dilation = -1; });
  CHECK_THROWS_AS(xrai_segments(at::zeros({1, 1, 8, 8})), Error);
  CHECK_THROWS_AS(xrai_segments(at::full({8, 8}, not_a_number)), Error);
}

TEST_CASE("xrai_regions: full looks at what a mask would add, fast at all of it") {
  // Two masks that overlap: the left one is better as a whole, the middle of the right one best of all.
  const auto masks = region_masks(rectangles(2, 12, {{0, 2, 0, 4}, {0, 2, 2, 8}, {0, 2, 7, 8}}));
  auto attribution = at::zeros({2, 12}, at::kFloat);
  attribution.narrow(1, 0, 4).fill_(2);
  attribution.narrow(1, 4, 3).fill_(1);
  attribution.narrow(1, 7, 1).fill_(-6);
  const auto full = xrai_regions(attribution, masks, every_pixel());
  CHECK((full.gains == std::vector<double>{2, -0.75, 0}));
  CHECK((full.areas == std::vector<std::int64_t>{8, 8, 8}));
  const auto ranks = at::tensor({1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3}, at::kLong).expand({2, 12});
  CHECK(at::equal(full.ranks, ranks));
  CHECK(at::equal(full.heat_map[1], at::tensor({2., 2., 2., 2., -.75, -.75, -.75, -.75, 0., 0., 0., 0.})));
  CHECK((full.heat_map.scalar_type() == at::kDouble));

  auto better_alone = attribution.clone();
  better_alone.narrow(1, 2, 2).fill_(9);  // the shared pixels: the right mask is third by itself, but nothing without
  const auto fast = xrai_regions(better_alone, masks, every_pixel(XraiAlgorithm::fast));
  CHECK((fast.areas == std::vector<std::int64_t>{8, 8, 8}));
  CHECK((fast.gains == std::vector<double>{5.5, -0.75, 0}));
}

TEST_CASE("xrai_regions: of equal gains the first mask comes first, whatever sums have been taken from it") {
  at::manual_seed(5);
  const auto masks = region_masks(rectangles(8, 8, {{0, 8, 0, 8}, {0, 4, 0, 8}, {4, 8, 0, 8}, {2, 6, 0, 8}}));
  const auto nothing = xrai_regions(at::zeros({8, 8}), masks, every_pixel());
  CHECK((nothing.areas == std::vector<std::int64_t>{64}));
  auto attribution = at::randn({8, 8}, at::kDouble);
  attribution.narrow(0, 4, 4).zero_();  // what the masks hold besides the upper half is exactly nothing
  attribution.narrow(0, 0, 4).abs_();
  const auto found = xrai_regions(attribution, masks, every_pixel());
  CHECK(found.gains[1] == 0.0);
  CHECK(found.gains.size() == 2);
  CHECK((found.areas == std::vector<std::int64_t>{32, 32}));
}

TEST_CASE("xrai_regions: masks that cover nothing, or everything") {
  at::manual_seed(6);
  const auto attribution = at::randn({9, 70}, at::kDouble);
  for (const auto algorithm : {XraiAlgorithm::full, XraiAlgorithm::fast}) {
    for (const auto& masks :
         {at::zeros({2, 9, 70}, at::kBool), at::zeros({0, 9, 70}, at::kBool), at::ones({2, 9, 70}, at::kBool)}) {
      const auto found = xrai_regions(attribution, region_masks(masks), every_pixel(algorithm));
      CHECK((found.areas == std::vector<std::int64_t>{9 * 70}));
      CHECK(found.gains.front() == doctest::Approx(attribution.mean().item<double>()).epsilon(1e-12));
      CHECK((found.ranks == 1).all().item<bool>());
    }
  }
}

TEST_CASE("xrai_regions: small additions are left out, and no more than the area asked for is looked at") {
  const auto masks = region_masks(rectangles(10, 10, {{0, 5, 0, 10}, {0, 6, 0, 10}, {6, 10, 0, 10}}));
  auto attribution = at::ones({10, 10}, at::kFloat);
  attribution.narrow(0, 0, 5).fill_(3);
  const auto found = xrai_regions(attribution, masks, {XraiAlgorithm::full, 1, 11});
  CHECK((found.areas == std::vector<std::int64_t>{50, 40, 10}));  // the row that the second would add comes last
  const auto half = xrai_regions(attribution, masks, {XraiAlgorithm::full, 0.4, 1});
  CHECK((half.areas == std::vector<std::int64_t>{50, 50}));
  CHECK((half.gains == std::vector<double>{3, 1}));
}

TEST_CASE("xrai_regions: what it refuses") {
  const auto masks = region_masks(at::ones({1, 4, 4}, at::kBool));
  CHECK_THROWS_AS(xrai_regions(at::full({4, 4}, not_a_number), masks), Error);
  CHECK_THROWS_AS(xrai_regions(at::zeros({4, 5}), masks), Error);
  CHECK_THROWS_AS(xrai_regions(at::zeros({4, 4}, at::kLong), masks), Error);
  CHECK_THROWS_AS(xrai_regions(at::zeros({4, 4}), masks, {XraiAlgorithm::full, 1.5, 50}), Error);
  CHECK_THROWS_AS(xrai_regions(at::zeros({4, 4}), masks, {XraiAlgorithm::full, 1, 0}), Error);
  CHECK((parse_xrai_algorithm("fast") == XraiAlgorithm::fast));
  CHECK_THROWS_WITH_AS(parse_xrai_algorithm("slow"), doctest::Contains("full, fast"), Error);
}

TEST_CASE("top_regions: the fewest regions that make up the share") {
  const auto masks = region_masks(rectangles(10, 10, {{0, 1, 0, 10}, {1, 4, 0, 10}}));
  auto attribution = at::zeros({10, 10}, at::kFloat);
  attribution[0].fill_(2);
  attribution.narrow(0, 1, 3).fill_(1);
  const auto found = xrai_regions(attribution, masks, every_pixel());
  const auto area = [&](double share) { return top_regions(found, share).sum().item<std::int64_t>(); };
  CHECK(area(0) == 0);
  CHECK(area(0.05) == 10);
  CHECK(area(0.1) == 10);
  CHECK(area(0.11) == 40);
  CHECK(area(1) == 100);
  CHECK_THROWS_AS(top_regions(found, 1.1), Error);
}

TEST_CASE("xrai: a linear score's regions are those of its weights") {
  at::manual_seed(7);
  auto weights = at::zeros({1, 2, 40, 40}, at::kDouble);
  weights[0][0].narrow(0, 0, 20).narrow(1, 0, 20).fill_(1);
  const auto input = at::stack({halves(40, 40), 1 - halves(40, 40)}).unsqueeze(0).expand({2, 2, 40, 40}) + 0.5;
  const auto linear = [&](const at::Tensor& x) { return (x * weights).sum({1, 2, 3}).unsqueeze(1); };
  XraiOptions options;
  options.path = {5, Quadrature::trapezoid, true};
  options.segments.side = 0;
  const auto found = xrai(explained(linear, class_score(0)), input, options);
  CHECK((found.attribution.sizes() == at::IntArrayRef({2, 40, 40})));
  REQUIRE(found.regions.size() == 2);
  REQUIRE(found.completeness.size() == 2);  // black and white
  CHECK(found.completeness[1].gap().abs().max().item<double>() < 1e-9);
  CHECK(at::equal(found.regions[0].ranks, found.regions[1].ranks));

  options.baselines = {at::zeros({1}, at::kDouble)};
  const auto from_zero = xrai(explained(linear, class_score(0)), input, options);
  CHECK(at::allclose(from_zero.attribution[0], (input * weights)[0].amax(0)));
  CHECK_THROWS_WITH_AS(xrai(explained(linear, class_score(0)), input.unsqueeze(2)),
                       doctest::Contains("(image, channel"), Error);
}

TEST_CASE("xrai_attribution: the mean over baselines, the highest over channels") {
  const auto one = at::tensor({1., 4.}).view({1, 2, 1, 1}), other = at::tensor({5., 0.}).view({1, 2, 1, 1});
  CHECK(xrai_attribution({one, other}).item<double>() == 3);
  CHECK_THROWS_AS(xrai_attribution({}), Error);
}
