#include <doctest/doctest.h>

#include <limits>

#include "ichdet/core/error.hpp"
#include "ichdet/preprocess/heads_up.hpp"

using namespace ichdet;

TEST_CASE("mixtures add windows in double") {
  Array3<float> hu({1, 1, 5});
  const float values[] = {-1000, 40, 60, 3000, std::numeric_limits<float>::quiet_NaN()};
  std::copy(std::begin(values), std::end(values), hu.begin());
  const WeightedWindow mix[] = {{{0, 80}, 0.5}, {{-20, 180}, -0.25}};
  const auto found = mix_windows(hu, mix, 2);
  CHECK(found(0, 0, 0) == 0);
  CHECK(found(0, 0, 1) == float(0.5 * 0.5 - 0.25 * (60.0 / 200)));
  CHECK(found(0, 0, 2) == float(0.5 * 0.75 - 0.25 * (80.0 / 200)));
  CHECK(found(0, 0, 3) == 0.25F);
  CHECK(found(0, 0, 4) == 0);
  CHECK_THROWS_WITH_AS(mix_windows(hu, {}), doctest::Contains("at least one window"), Error);
  const WeightedWindow endless[] = {{{0, 80}, std::numeric_limits<double>::infinity()}};
  CHECK_THROWS_WITH_AS(mix_windows(hu, endless), doctest::Contains("finite"), Error);
  const WeightedWindow turned[] = {{{80, 0}, 1}};
  CHECK_THROWS_WITH_AS(mix_windows(hu, turned), doctest::Contains("lower one first"), Error);
}

TEST_CASE("S4's variants: channels, levels, colours") {
  Array3<float> hu({2, 1, 2});
  const float values[] = {-1024, 20, 41, 3000};
  std::copy(std::begin(values), std::end(values), hu.begin());
  const auto of = [&](HeadsUpVariant variant, HeadsUpOptions options = {}) { return heads_up(hu, variant, options); };
  const auto e1 = of(HeadsUpVariant::e1);
  CHECK(e1.shape() == Array4<float>::Shape{1, 2, 1, 2});
  CHECK(e1(0, 0, 0, 1) == 63 / 255.F);  // 63.75
  const auto e2 = of(HeadsUpVariant::e2), e3 = of(HeadsUpVariant::e3), e4 = of(HeadsUpVariant::e4);
  CHECK(e2(0, 0, 0, 1) == 0.25F);
  CHECK(e2(1, 0, 0, 1) == 0.2F);
  CHECK(e2(2, 0, 0, 1) == 170 / 380.F);
  CHECK(e3(1, 1, 0, 0) == 77 / 255.F);  // 77.775
  CHECK(e4(0, 0, 0, 1) == doctest::Approx((0.25 + 0.2 + 170 / 380.) / 3));
  CHECK(e4(1, 0, 0, 1) == e4(0, 0, 0, 1) / 4);
  CHECK(e4(2, 1, 0, 1) == 0.25F);
  HeadsUpOptions grey;
  grey.colour_weights = {1, 1, 1};
  grey.order = ChannelOrder::slice_first;
  const auto batch = of(HeadsUpVariant::e4, grey);
  CHECK(batch.shape() == Array4<float>::Shape{2, 3, 1, 2});
  for (int c = 0; c < 3; ++c) CHECK(batch(1, c, 0, 0) == e4(0, 1, 0, 0));
}
