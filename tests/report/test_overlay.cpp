#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "ichdet/core/error.hpp"
#include "ichdet/report/draw.hpp"
#include "ichdet/report/overlay.hpp"

using namespace ichdet;

namespace {

SliceGeometry planes(std::int64_t count, std::int64_t rows, std::int64_t columns, const Eigen::Vector3d& along_row,
                     const Eigen::Vector3d& along_column) {
  std::vector<SlicePlane> made(static_cast<std::size_t>(count));
  for (std::size_t k = 0; k < made.size(); ++k) {
    made[k].along_row = along_row;
    made[k].along_column = along_column;
    made[k].position_mm = made[k].normal() * 5.0 * double(k);
    made[k].column_spacing_mm = 0.5;
    made[k].row_spacing_mm = 0.75;
    made[k].thickness_mm = 5;
  }
  return SliceGeometry(made, rows, columns);
}

struct Scan {
  SliceStack stack;
  SliceLabels labels;
  StudyResult result;
};

/// Air but for one block of tissue; `found` slices have a label and a high score.
Scan scan(std::int64_t count, const std::vector<std::int64_t>& found) {
  const auto geometry = planes(count, 64, 64, Eigen::Vector3d::UnitX(), Eigen::Vector3d::UnitY());
  SliceStack stack(geometry, Array3<float>(geometry.shape(), -1000));
  SliceLabels labels(Array3<std::uint8_t>(geometry.shape()), {"background", "IPH"}, geometry);
  StudyResult result;
  result.version = "0.1.0";
  result.labels = {{1, "IPH"}};
  for (std::int64_t k = 0; k < count; ++k) {
    for (std::int64_t r = 16; r < 48; ++r) std::fill_n(&stack.hu(k, r, 12), 36, 40.0f);
    const bool here = std::find(found.begin(), found.end(), k) != found.end();
    if (here) labels.labels(k, 30, 30) = 1;
    result.slices.push_back({k, 5.0 * double(k), here ? 0.9 : 0.1, ""});
  }
  return {stack, labels, result};
}

}  // namespace

TEST_CASE("views turn slices the way they are read") {
  const auto view = [](const Eigen::Vector3d& along_row, const Eigen::Vector3d& along_column) {
    const auto geometry = planes(2, 4, 6, along_row, along_column);
    return upright_view(SliceStack(geometry, Array3<float>(geometry.shape())), {false, 0});
  };
  const Eigen::Vector3d x = Eigen::Vector3d::UnitX(), y = Eigen::Vector3d::UnitY(), z = Eigen::Vector3d::UnitZ();
  const auto edges = [](const SliceView& v) { return std::string{v.left, v.right, v.top, v.bottom}; };
  CHECK(edges(view(x, y)) == "RLAP");
  CHECK(edges(view(-y, x)) == "RLAP");
  CHECK(edges(view(y, -z)) == "APSI");
  CHECK(edges(view(z, y)) == "APSI");
  CHECK(edges(view(-x, z)) == "RLSI");
  CHECK_FALSE(view(x, y).transposed);
  const auto turned = view(-y, x);
  CHECK(turned.transposed);
  CHECK(turned.rows_flipped);
  CHECK_FALSE(turned.columns_flipped);
  CHECK(turned.rows == 6);
  CHECK(turned.columns == 4);
  CHECK(turned.row_mm == 0.5);

  Array3<int> values({1, 4, 6});
  for (std::int64_t i = 0; i < 24; ++i) values.data()[i] = int(i);
  const auto plane = shown(turned, values, 0);  // the stack's last column becomes the top row
  CHECK(plane(0, 0) == 5);
  CHECK(plane(0, 3) == 23);
  CHECK(plane(5, 0) == 0);
}

TEST_CASE("the view is cropped to the head, not to the table") {
  auto [stack, labels, result] = scan(3, {});
  for (std::int64_t k = 0; k < 3; ++k) std::fill_n(&stack.hu(k, 60, 0), 64, 300.0f);  // a thin shell
  const auto view = upright_view(stack, {true, 3});
  CHECK(view.first_row == doctest::Approx(16 - 4).epsilon(0.2));
  CHECK(view.rows == doctest::Approx(32 + 8).epsilon(0.1));
  CHECK(view.first_column == doctest::Approx(12 - 6).epsilon(0.5));
  CHECK(view.first_row + view.rows < 58);

  labels.labels(1, 62, 40) = 1;
  const auto kept = upright_view(stack, {true, 0}, labels.labels);
  CHECK(kept.first_row + kept.rows == 63);

  std::fill(stack.hu.begin(), stack.hu.end(), -1000.0f);
  CHECK(upright_view(stack).rows == 64);
}

TEST_CASE("resizing keeps constants and means, and does not alias") {
  Array2f constant({30, 40}, 7.0f);
  for (const auto kernel : {Kernel::cubic, Kernel::spline, Kernel::linear}) {
    const auto smaller = resize(constant, 11, 97, kernel);
    for (const float value : smaller) CHECK(value == doctest::Approx(7));
  }
  Array2f checkers({64, 64});
  for (std::int64_t i = 0; i < checkers.size(); ++i) checkers.data()[i] = float((i + i / 64) % 2);
  const auto grey = resize(checkers, 20, 20);
  for (std::int64_t r = 2; r < 18; ++r) {
    for (std::int64_t c = 2; c < 18; ++c) CHECK(grey(r, c) == doctest::Approx(0.5).epsilon(0.02));
  }
  const auto same = resize(checkers, 64, 64);
  CHECK(std::equal(same.begin(), same.end(), checkers.begin()));
}

TEST_CASE("a sheet shows all slices, or the findings first") {
  const auto all = scan(12, {5});
  CHECK(sheet_slices(picture_setup(all.stack, all.labels), all.result, 30).size() == 12);

  const auto some = scan(100, {40, 41, 42, 43, 90});
  const auto chosen = sheet_slices(picture_setup(some.stack, some.labels), some.result, 20);
  CHECK(chosen.size() == 20);
  CHECK(std::is_sorted(chosen.begin(), chosen.end()));
  CHECK(std::adjacent_find(chosen.begin(), chosen.end()) == chosen.end());
  for (const std::int64_t k : {40, 41, 42, 43, 90}) CHECK(std::binary_search(chosen.begin(), chosen.end(), k));
  CHECK(chosen.front() < 8);

  std::vector<std::int64_t> many(80);
  for (std::size_t i = 0; i < many.size(); ++i) many[i] = std::int64_t(i);
  auto full = scan(100, many);
  full.result.slices[33].probability = 0.99;
  const auto sampled = sheet_slices(picture_setup(full.stack, full.labels), full.result, 20);
  CHECK(sampled.size() == 20);
  CHECK(std::binary_search(sampled.begin(), sampled.end(), std::int64_t{33}));
  CHECK(std::count_if(sampled.begin(), sampled.end(), [](auto k) { return k < 80; }) == 15);
  CHECK(sheet_slices(picture_setup(full.stack, full.labels), full.result, 1).size() == 1);

  auto airy = scan(12, {1});
  for (const std::int64_t k : {0, 1, 10, 11})
    std::fill(airy.stack.hu.plane(k).begin(), airy.stack.hu.plane(k).end(), -1000.0f);
  const auto heads = sheet_slices(picture_setup(airy.stack, airy.labels), airy.result, 30);
  CHECK(heads == std::vector<std::int64_t>{1, 2, 3, 4, 5, 6, 7, 8, 9});
}

TEST_CASE("pictures are drawn for any number of slices, twice the same") {
  for (const std::int64_t count : {1, 2, 7, 40}) {
    const auto [stack, labels, result] = scan(count, {0});
    const auto sheet = render_sheet(stack, labels, result);
    CHECK(sheet.channels == 3);
    CHECK(sheet.columns > 700);
    CHECK(sheet.columns < 2400);
    CHECK(sheet.pixels == render_sheet(stack, labels, result).pixels);
    OverlayOptions options;
    options.setup = picture_setup(stack, labels);
    CHECK(render_slice(stack, labels, result, count - 1).pixels ==
          render_slice(stack, labels, result, count - 1, options).pixels);
  }
}

TEST_CASE("text is measured, cut and wrapped by letters") {
  using namespace ichdet::draw;
  Image image(30, 200, 3);
  const auto end = text(image, 5, 20, "W 80 \u00b7 \u2265 5 mm", Face::body, {255, 255, 255});
  CHECK(end - 5 == text_width("W 80 \u00b7 \u2265 5 mm", Face::body));
  CHECK(std::any_of(image.pixels.begin(), image.pixels.end(), [](auto v) { return v > 200; }));
  CHECK(text_width("\xff\xc3", Face::body) == 2 * text_width("?", Face::body));
  CHECK(text_width("\u4e2d", Face::small) == text_width("?", Face::small));
  CHECK(fit("short", Face::small, 100) == "short");
  const auto cut = fit("a long name that cannot fit", Face::small, 60);
  CHECK(cut.ends_with("\u2026"));
  CHECK(text_width(cut, Face::small) <= 60);
  const auto lines = wrap("one two three four five six seven", Face::small, 60, 3);
  CHECK(lines.size() == 3);
  CHECK(lines[0] == "one two");
  CHECK(lines[2].ends_with("\u2026"));
  CHECK(wrap("", Face::small, 60, 3).empty());
  text(image, 190, 5, "cut off at the edges", Face::title, {255, 255, 255});
}

TEST_CASE("options that make no sense are refused") {
  const auto [stack, labels, result] = scan(2, {});
  OverlayOptions options;
  options.tile_px = 10;
  CHECK_THROWS_AS(render_sheet(stack, labels, result, options), Error);
  options = {};
  options.window_width_hu = std::nan("");
  CHECK_THROWS_AS(render_slice(stack, labels, result, 0, options), Error);
  CHECK_THROWS_AS(render_slice(stack, labels, result, -1), Error);
}
