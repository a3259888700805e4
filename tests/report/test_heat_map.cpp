#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "ichdet/core/error.hpp"
#include "ichdet/report/colormap.hpp"
#include "ichdet/report/heat_map.hpp"

using namespace ichdet;

namespace {

bool same(const std::uint8_t* pixel, draw::Color color) {
  return pixel[0] == color.red && pixel[1] == color.green && pixel[2] == color.blue;
}

double luminance(const std::uint8_t* pixel) { return 0.2126 * pixel[0] + 0.7152 * pixel[1] + 0.0722 * pixel[2]; }

}  // namespace

TEST_CASE("what is cold stays as it is, what is hot gets its colour, beyond the scale the end's") {
  Image image(1, 4, 3, 100);
  Array2f map({1, 4});
  std::copy_n(std::array{2.0f, 3.0f, 6.0f, 9.0f}.begin(), 4, map.begin());
  HeatMapOptions options;
  options.low = 2;
  options.high = 6;
  options.opacity = 1;
  options.fade_in = 0.5;
  draw_heat_map(image, 0, 0, 4, 1, map, options);
  CHECK(same(image.at(0, 0), {100, 100, 100}));
  CHECK(same(image.at(0, 2), heat_color(1)));
  CHECK(same(image.at(0, 3), heat_color(5)));
  Image half(1, 1, 3, 100);
  draw::blend(half, 0, 0, heat_color(0.25), 0.5);
  CHECK(same(image.at(0, 1), {half.pixels[0], half.pixels[1], half.pixels[2]}));
}

TEST_CASE("a coarse map is stretched over its rectangle, and only that changes") {
  Image image(40, 60, 3, 100);
  Array2f map({2, 2});
  map(0, 1) = 1;  // top right
  draw_heat_map(image, 10, 5, 40, 20, map);
  for (std::int64_t r = 0; r < 40; ++r) {
    for (std::int64_t c = 0; c < 60; ++c) {
      const bool touched = !same(image.at(r, c), {100, 100, 100});
      if (r < 5 || r >= 25 || c < 10 || c >= 50) CHECK_FALSE(touched);
    }
  }
  CHECK_FALSE(same(image.at(6, 48), {100, 100, 100}));
  CHECK(same(image.at(23, 12), {100, 100, 100}));
}

TEST_CASE("the scale brightens from bottom to top and lies beside the picture") {
  HeatMapOptions options;
  options.fade_in = 0;
  const Image slice(200, 160, 1, 80);
  const auto image = heat_map(slice, Array2f({4, 4}), "nothing is hot", options);
  CHECK(image.channels == 3);
  CHECK(image.rows > slice.rows);
  CHECK(image.columns == slice.columns + 24 + color_bar_width(options));
  const auto bar = slice.columns + 12 + 4;
  for (std::int64_t r = 13; r < 188; ++r) CHECK(luminance(image.at(r, bar)) <= luminance(image.at(r - 1, bar)) + 1.5);
  CHECK(luminance(image.at(12, bar)) > luminance(image.at(187, bar)) + 80);
  CHECK(heat_map(slice, Array2f({4, 4}), "", options).rows == slice.rows);
}

TEST_CASE("maps and options that make no sense are refused") {
  Image image(8, 8, 3), grey(8, 8, 1);
  Array2f map({2, 2});
  CHECK_THROWS_AS(draw_heat_map(grey, 0, 0, 8, 8, map), Error);
  CHECK_THROWS_AS(draw_heat_map(image, 0, 0, 0, 8, map), Error);
  CHECK_THROWS_AS(draw_heat_map(image, 0, 0, 8, 8, Array2f()), Error);
  HeatMapOptions options;
  options.high = 0;
  CHECK_THROWS_WITH_AS(draw_heat_map(image, 0, 0, 8, 8, map, options),
                       "heat map: expected low < high, opacity and fade_in in [0, 1], found 0, 0, 0.6, 0.4", Error);
  map(1, 1) = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_WITH_AS(draw_heat_map(image, 0, 0, 8, 8, map), "heat map: expected finite values, found NaN or infinity",
                       Error);
}
