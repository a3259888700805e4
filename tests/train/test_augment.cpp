#include "ichdet/train/augment.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/affine_grid_generator.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/flip.h>
#include <ATen/ops/full.h>
#include <ATen/ops/grid_sampler.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <doctest/doctest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <string>

#include "ichdet/core/error.hpp"
#include "ichdet/phantom/random.hpp"

using namespace ichdet;
using namespace ichdet::train;

namespace {

/// A disc of brain with texture, in bone, in air; a square of blood marked.
Slab head(std::int64_t slices = 3, std::int64_t size = 64, bool clipped = false) {
  Slab slab;
  slab.hu = at::full({slices, size, size}, clipped ? 0 : -1000, at::kFloat);
  slab.mask = at::zeros({slices, size, size}, at::kByte);
  slab.spacing_mm = {5, 1, 1};
  auto hu = slab.hu.accessor<float, 3>();
  auto mask = slab.mask.accessor<std::uint8_t, 3>();
  const double middle = double(size - 1) / 2;
  for (std::int64_t s = 0; s < slices; ++s) {
    for (std::int64_t r = 0; r < size; ++r) {
      for (std::int64_t c = 0; c < size; ++c) {
        const double away = std::hypot(double(r) - middle, double(c) - middle) / middle;
        if (away < 0.85) hu[s][r][c] = clipped ? 80 : 900;
        if (away < 0.75)
          hu[s][r][c] = 33 + 4 * float(counter_uniform(1, std::uint64_t(s), std::uint64_t(r * size + c)));
        if (std::abs(double(r) - middle - 8) < 5 && std::abs(double(c) - middle + 3) < 4) {
          hu[s][r][c] = 65;
          mask[s][r][c] = 1;
        }
      }
    }
  }
  return slab;
}

Slab changed(Slab slab, const AugmentOptions& options, std::uint64_t seed) {
  augment(slab, options, seed);
  return slab;
}

}  // namespace

TEST_CASE("augmentation is a pure function of the seed, and changes what it is asked to") {
  const AugmentOptions all;
  const auto a = changed(head(), all, 7), b = changed(head(), all, 7), c = changed(head(), all, 8);
  CHECK(at::equal(a.hu, b.hu));
  CHECK(at::equal(a.mask, b.mask));
  CHECK_FALSE(at::equal(a.hu, c.hu));
  const auto same = changed(head(), no_augmentation(), 7);
  CHECK(at::equal(same.hu, head().hu));
  CHECK(at::equal(same.mask, head().mask));
}

TEST_CASE("each kind of change, drawn for certain, changes the slab and keeps it finite") {
  const AugmentOptions usual;
  for (const auto member :
       {&AugmentOptions::rotation_degrees, &AugmentOptions::scale, &AugmentOptions::stretch, &AugmentOptions::shear,
        &AugmentOptions::shift_mm, &AugmentOptions::elastic_mm, &AugmentOptions::neighbour_shift_mm,
        &AugmentOptions::clip_hu, &AugmentOptions::low_resolution, &AugmentOptions::blur_mm, &AugmentOptions::sharpen,
        &AugmentOptions::slice_blend, &AugmentOptions::cupping_hu, &AugmentOptions::shading_hu, &AugmentOptions::gain,
        &AugmentOptions::offset_hu, &AugmentOptions::brain_gain, &AugmentOptions::gamma, &AugmentOptions::noise_hu}) {
    auto options = no_augmentation();
    options.*member = usual.*member;
    (options.*member).probability = 1;
    const auto result = changed(head(), options, 3);
    CHECK_FALSE(at::equal(result.hu, head().hu));
    CHECK(result.hu.isfinite().all().item<bool>());
    CHECK(result.mask.sum().item<int>() > 0);
  }
}

TEST_CASE("flips are exact, and the same flip again undoes them") {
  auto options = no_augmentation();
  options.flip_columns = options.flip_rows = options.flip_slices = 1;
  const auto once = changed(head(), options, 1);
  CHECK(at::equal(once.hu, at::flip(head().hu, {0, 1, 2})));
  CHECK(at::equal(once.mask, at::flip(head().mask, {0, 1, 2})));
  CHECK(at::equal(changed(once, options, 2).hu, head().hu));
}

TEST_CASE("rotation and scale agree with torch's grid_sample") {
  auto options = no_augmentation();
  options.rotation_degrees = {1, {20, 20}};
  options.scale = {1, {1.15, 1.15}};
  auto slab = head();
  const auto hu = slab.hu.clone();
  augment(slab, options, 1);
  const double angle = 20 * M_PI / 180;
  // A turn of (row, column) by the angle, undone: what grid_sample calls (x, y) is (column, row).
  const auto c = float(std::cos(angle) / 1.15), s = float(std::sin(angle) / 1.15);
  const auto theta = at::tensor({c, -s, 0.0F, s, c, 0.0F}).view({1, 2, 3});
  const auto grid = at::affine_grid_generator(theta, {1, 3, 64, 64}, false);
  const auto expected = at::grid_sampler((hu + 1000).unsqueeze(0), grid, 0, 0, false).squeeze(0) - 1000;
  CHECK((slab.hu - expected).abs().max().item<float>() < 0.02);
}

TEST_CASE("the mask moves with the blood") {
  auto options = no_augmentation();
  options.rotation_degrees = {1, {-30, 30}};
  options.shift_mm = {1, {-6, 6}};
  options.elastic_mm = {1, {1, 2}};
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    const auto slab = changed(head(), options, seed);
    const auto marked = slab.hu.masked_select(slab.mask == 1);
    CHECK(marked.numel() > 100);
    CHECK(marked.median().item<float>() == doctest::Approx(65).epsilon(0.02));
  }
}

TEST_CASE("a clipped slab stays within its values, and a single slice works") {
  const AugmentOptions all;
  for (std::uint64_t seed = 0; seed < 12; ++seed) {
    const auto slab = changed(head(1, 64, true), all, seed);
    CHECK(slab.hu.min().item<float>() >= 0);
    CHECK(slab.hu.max().item<float>() <= 80);
  }
}

TEST_CASE("values change, and bone and air of a clipped slab stay at its ends") {
  auto options = no_augmentation();
  options.offset_hu = {1, {-5, -5}};
  options.noise_hu = {1, {6, 6}};
  const auto before = head(1, 64, true);
  const auto slab = changed(head(1, 64, true), options, 3);
  const auto bone = slab.hu.masked_select(before.hu.eq(80)), inside = slab.hu.masked_select(before.mask.eq(1));
  CHECK(bone.min().item<float>() == 80);
  CHECK(inside.mean().item<float>() == doctest::Approx(60).epsilon(0.02));
  CHECK(slab.hu[0][0][0].item<float>() == 0);
}

TEST_CASE("neighbour dropout leaves one slice, three times") {
  auto options = no_augmentation();
  options.neighbour_dropout = 1;
  const auto slab = changed(head(), options, 5);
  for (int s = 0; s < 3; ++s) CHECK(at::equal(slab.hu.select(0, s), head().hu.select(0, 1)));
}

TEST_CASE("noise has the deviation asked for, and a tilt turns a volume") {
  auto options = no_augmentation();
  options.noise_hu = {1, {5, 5}};
  const auto before = head();
  const auto noise = changed(head(), options, 9).hu - before.hu;
  CHECK(noise.std().item<float>() == doctest::Approx(5).epsilon(0.03));
  auto tilted = no_augmentation();
  tilted.tilt_degrees = {1, {15, 15}};
  CHECK_FALSE(at::equal(changed(head(16), tilted, 1).hu, head(16).hu));
}

TEST_CASE("options are read from JSON, and what is wrong is named") {
  const auto options = augment_options({{"flip_rows", 0}, {"rotation_degrees", {1, -5, 5}}}, "recipe");
  CHECK(options.flip_rows == 0);
  CHECK(options.rotation_degrees.probability == 1);
  CHECK(options.rotation_degrees.range[1] == 5);
  CHECK(options.noise_hu.probability == AugmentOptions{}.noise_hu.probability);
  const auto message = [](const nlohmann::json& object) {
    try {
      augment_options(object, "recipe");
    } catch (const Error& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  CHECK(message({{"rotation", 1}}).find("/rotation: unknown key") != std::string::npos);
  CHECK(message({{"flip_rows", 2}}).find("/flip_rows: expected a probability") != std::string::npos);
  CHECK(message({{"blur_mm", {0.5, 2, 1}}}).find("/blur_mm: expected [probability, low, high]") != std::string::npos);
  CHECK(message({{"scale", {0.5, 0, 1}}}).find("/scale: expected bounds above 0") != std::string::npos);
}

TEST_CASE("what is not a slab is refused") {
  Slab slab = head();
  slab.mask = at::zeros({3, 64, 63}, at::kByte);
  CHECK_THROWS_AS(augment(slab, {}, 1), Error);
  slab = head();
  slab.hu = slab.hu.to(at::kDouble);
  CHECK_THROWS_AS(augment(slab, {}, 1), Error);
}
