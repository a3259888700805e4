#include <doctest/doctest.h>

#include "ichdet/core/error.hpp"
#include "ichdet/preprocess/window.hpp"

using namespace ichdet;

TEST_CASE("windows clip, scale and lie as asked") {
  Array3<float> hu({2, 1, 3});
  const float values[] = {-1024, 0, 20, 40, 80, 3000};
  std::copy(std::begin(values), std::end(values), hu.begin());
  const Window windows[] = {{0, 80}, Window::centre_width(40, 40)};
  const auto planes = window_channels(hu, windows);
  CHECK(planes.shape() == Array4<float>::Shape{2, 2, 1, 3});
  CHECK(planes(0, 0, 0, 2) == 0.25F);
  CHECK(planes(1, 1, 0, 0) == 0.5F);
  CHECK(planes(0, 1, 0, 2) == 1.0F);
  const auto batch = window_channels(hu, windows, {.order = ChannelOrder::slice_first});
  for (int c = 0; c < 2; ++c) {
    for (int z = 0; z < 2; ++z) {
      for (int x = 0; x < 3; ++x) CHECK(batch(z, c, 0, x) == planes(c, z, 0, x));
    }
  }
  CHECK(window_8bit(hu, windows[0])(0, 0, 2) == 63);  // 63.75
  CHECK(window_8bit(hu, windows[0], Rounding::nearest)(0, 0, 2) == 64);
  CHECK(window_8bit(hu, windows[0])(1, 0, 2) == 255);
}

TEST_CASE("windows have names or numbers") {
  CHECK(parse_window("subdural").low_hu == -20);
  CHECK(parse_window("40,80").high_hu == 80);
  CHECK_THROWS_WITH_AS(parse_window("liver"),
                       "window: expected brain, subdural, stroke, bone, soft_tissue, blast_ct, or CENTRE,WIDTH in HU, "
                       "found liver",
                       Error);
}
