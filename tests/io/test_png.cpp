#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "ichdet/core/error.hpp"
#include "ichdet/io/png.hpp"

using namespace ichdet;
using namespace ichdet::io;

namespace {

Image noise(std::int64_t rows, std::int64_t columns, std::int64_t channels) {
  Image image(rows, columns, channels);
  std::uint32_t state = 1;
  for (auto& value : image.pixels) value = std::uint8_t((state = state * 1664525u + 1013904223u) >> 24);
  return image;
}

}  // namespace

TEST_CASE("a PNG comes back as it was written") {
  const auto folder = std::filesystem::temp_directory_path() / "ichdet_test_png";
  std::filesystem::create_directories(folder);
  for (const std::int64_t channels : {1, 3}) {
    const auto image = noise(13, 7, channels);
    write_png(folder / "x.png", image);
    const auto again = read_png(folder / "x.png");
    CHECK(again.rows == 13);
    CHECK(again.columns == 7);
    CHECK(again.channels == channels);
    CHECK(again.pixels == image.pixels);
    CHECK(encode_png(image) == encode_png(again));
  }
  std::filesystem::remove_all(folder);
}

TEST_CASE("what cannot be written or read is named") {
  CHECK_THROWS_WITH_AS(write_png("/nowhere/at/all.png", noise(2, 2, 1)),
                       "/nowhere/at/all.png: cannot be written: No such file or directory", Error);
  CHECK_THROWS_WITH_AS(read_png("/nowhere/at/all.png"),
                       "/nowhere/at/all.png: cannot be read: No such file or directory", Error);
  Image wrong = noise(2, 2, 3);
  wrong.pixels.pop_back();
  CHECK_THROWS_WITH_AS(encode_png(wrong), "picture: expected 12 values, found 11", Error);
  CHECK_THROWS_AS(Image(0, 2, 1), Error);
  CHECK_THROWS_AS(Image(1, 2, 4), Error);
  auto bytes = encode_png(noise(40, 40, 3));
  bytes.resize(bytes.size() / 2);
  CHECK_THROWS_AS(decode_png(bytes), Error);
  CHECK_THROWS_AS(decode_png(std::span(bytes).first(5)), Error);
}
