#include "ichdet/attribution/score_curves.hpp"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include "ichdet/attribution/information_curve.hpp"
#include "ichdet/core/error.hpp"

// After LibTorch's headers, one of which defines a CHECK too.
#include <doctest/doctest.h>

// Parity with saliency, RISE's definition and SciPy is in tests/python/test_explanation_judging.py.
using namespace ichdet;
using namespace ichdet::attribution;
using doctest::Approx;

namespace {

/// The mean of the first channel.
Explained brightness(std::int64_t batch = 4) {
  return {[batch](const at::Tensor& x) {
            REQUIRE(x.size(0) <= batch);
            return x.select(1, 0).flatten(1).mean(1);
          },
          {},
          batch};
}

}  // namespace

TEST_CASE("the score of a sum is a curve in closed form") {
  at::manual_seed(1);
  auto input = at::zeros({2, 1, 10, 10});
  input[0][0].slice(0, 0, 2) = 1;  // 20 of 100 pixels hold all there is
  input[1][0].slice(1, 0, 5) = 1;
  const auto maps = input.select(1, 0) + 0.5 * at::rand({2, 10, 10});  // no ties, and the bright ones first
  const auto nothing = at::zeros_like(input);
  const auto insertion = insertion_curves(brightness(), input, maps, nothing, {100});
  REQUIRE(insertion.size() == 2);
  REQUIRE(insertion[0].share.size() == 101);
  for (std::size_t i = 0; i <= 100; ++i) {
    CHECK(insertion[0].share[i] == Approx(double(i) / 100));
    CHECK(insertion[0].score[i] == Approx(std::min(double(i), 20.0) / 100));
  }
  CHECK(insertion[0].area == Approx(0.2 * 0.2 / 2 + 0.8 * 0.2));
  CHECK(insertion[1].area == Approx(0.5 * 0.5 / 2 + 0.5 * 0.5));
  const auto deletion = deletion_curves(brightness(), input, maps, nothing, {100});
  CHECK(deletion[0].area == Approx(0.2 * 0.2 / 2));
  CHECK(deletion[0].score.front() == Approx(0.2));
  CHECK(deletion[0].score.back() == 0);
}

TEST_CASE("equal pixels go together: a flat map has a straight line") {
  const auto input = at::ones({1, 2, 3, 4, 5});
  const auto curve = insertion_curves(brightness(), input, at::zeros({1, 3, 4, 5}), at::zeros_like(input))[0];
  CHECK(curve.share == std::vector<double>{0, 1});
  CHECK(curve.area == Approx(0.5));
  auto map = at::zeros({1, 3, 4, 5});
  map[0][0] = 1;                              // a third of the pixels, then all
  for (const std::int64_t steps : {2, 50}) {  // even where no step ends at the plateau
    const auto third = insertion_curves(brightness(), input, map, at::zeros_like(input), {steps})[0];
    REQUIRE(third.share.size() == 3);
    CHECK(third.share[1] == Approx(1.0 / 3));
    CHECK(third.score[1] == Approx(1.0 / 3));
  }
}

TEST_CASE("a blurred image keeps its mean inside, and a flat one stays") {
  auto input = at::zeros({1, 1, 41, 41});
  input[0][0][20][20] = 1;
  const auto soft = blurred(input, 3);
  CHECK(soft.sum().item<float>() == Approx(1));
  CHECK(soft[0][0][20][20].item<float>() == Approx(1 / (2 * M_PI * 9)).epsilon(1e-3));
  CHECK(at::allclose(blurred(at::full({1, 2, 5, 7}, 4.F), 10), at::full({1, 2, 5, 7}, 4.F)));
  CHECK(blank(at::arange(16, at::kFloat).view({1, 2, 2, 4})).sum().item<float>() == 64);
}

TEST_CASE("an information curve of what is known in closed form") {
  // Each revealed pixel counts as much information as score: the curve is the diagonal.
  const auto image = at::ones({1, 10, 10});
  const auto map = at::arange(100, at::kFloat).view({10, 10});
  InformationCurveOptions options;
  options.reveal = [](const at::Tensor& shown, const at::Tensor& known) { return shown * known.unsqueeze(0); };
  options.information = [](const at::Tensor& shown) { return shown.sum().item<double>(); };
  auto curve = information_curve(brightness(64), image, map, options);
  CHECK(curve.skipped.empty());
  CHECK(curve.area == Approx(0.5));
  CHECK(curve.score[500] == Approx(0.5));
  CHECK(curve.measured_score.size() == options.shares.size() + 2);

  options.least_score = 1.5;
  CHECK(information_curve(brightness(64), image, map, options).skipped.find("scores") != std::string::npos);
  options.least_score = -5;
  CHECK_FALSE(information_curve(brightness(64), -image, map, options).skipped.empty());  // tells less than nothing

  const auto both = joined({curve, curve});
  CHECK(both.area == Approx(0.5));
  curve.skipped = "on purpose";
  CHECK_THROWS_AS(joined({curve}), Error);
}

TEST_CASE("what there is to see: nothing, one level, noise") {
  at::manual_seed(2);
  const auto bytes = residual_bytes(0, 255);
  CHECK(bytes(at::zeros({3, 32, 32})) == 0);
  const auto noise = at::floor(at::rand({1, 128, 128}) * 256);
  CHECK(bytes(noise) == Approx(128 * 128).epsilon(0.02));
  CHECK(bytes(at::cat({noise, noise})) == Approx(2 * bytes(noise)));
  CHECK(bytes(blurred(noise.unsqueeze(0), 2)[0]) < 0.7 * bytes(noise));
}

TEST_CASE("what cannot be drawn is refused") {
  const auto input = at::ones({1, 1, 4, 4});
  const auto map = at::ones({1, 4, 4});
  CHECK_THROWS_AS(insertion_curves(brightness(), input, map, at::ones({1, 2, 4, 4})), Error);
  CHECK_THROWS_AS(insertion_curves(brightness(), input, at::ones({1, 4, 5}), input), Error);
  CHECK_THROWS_AS(insertion_curves(brightness(), input, map, input, {0}), Error);
  CHECK_THROWS_AS(insertion_curves({}, input, map, input), Error);
  CHECK_THROWS_AS(insertion_curves({brightness().scores, {}, 0}, input, map, input), Error);
  CHECK_THROWS_AS(blurred(input, 0), Error);
  InformationCurveOptions options;
  options.shares = {0.5, 0.4};
  CHECK_THROWS_AS(information_curve(brightness(), input[0], map[0], options), Error);
  CHECK_THROWS_AS(information_curve(brightness(), input, map[0]), Error);
}
