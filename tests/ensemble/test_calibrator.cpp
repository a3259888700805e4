#include <doctest/doctest.h>

#include <cmath>
#include <random>

#include "ichdet/core/error.hpp"
#include "ichdet/ensemble/calibrator.hpp"

using namespace ichdet;
using namespace ichdet::ensemble;

namespace {

struct Cases {
  std::vector<double> probabilities;
  std::vector<std::uint8_t> truth;
};

/// Truth drawn with probability sigmoid(slope · logit(p) + intercept).
Cases drawn(double slope, double intercept, int count = 20'000) {
  std::mt19937 random(3);
  std::uniform_real_distribution<double> uniform(0, 1);
  Cases cases;
  for (int i = 0; i < count; ++i) {
    const double p = uniform(random);
    cases.probabilities.push_back(p);
    cases.truth.push_back(uniform(random) < 1 / (1 + std::exp(-(slope * clipped_logit(p) + intercept))));
  }
  return cases;
}

}  // namespace

TEST_CASE("what was drawn from a known curve is found again") {
  const auto scaled = drawn(0.5, 0);
  CHECK(fit_temperature(scaled.probabilities, scaled.truth).slope == doctest::Approx(0.5).epsilon(0.03));
  const auto shifted = drawn(0.7, -1);
  const auto platt = fit_platt(shifted.probabilities, shifted.truth);
  CHECK(platt.slope == doctest::Approx(0.7).epsilon(0.03));
  CHECK(platt.intercept == doctest::Approx(-1).epsilon(0.03));
  const auto isotonic = fit_isotonic(shifted.probabilities, shifted.truth);
  for (const double p : {0.2, 0.5, 0.8}) CHECK(isotonic(p) == doctest::Approx(platt(p)).epsilon(0.1));
}

TEST_CASE("temperature keeps one half, and the ends stay probabilities") {
  Calibrator temperature;
  temperature.method = CalibrationMethod::temperature;
  temperature.slope = 0.3;
  CHECK(temperature(0.5) == 0.5);
  CHECK(temperature(0) > 0);
  CHECK(temperature(1) < 1);
  CHECK_THROWS_WITH_AS(temperature(1.2), doctest::Contains("expected 0 to 1, found 1.2"), Error);
  CHECK_THROWS_AS(temperature(std::nan("")), Error);
}

TEST_CASE("isotonic: pooled by hand, ties one point, constant beyond the ends") {
  const std::vector<double> p{0.1, 0.2, 0.2, 0.4, 0.6, 0.9};
  const std::vector<std::uint8_t> truth{0, 1, 0, 0, 1, 1};
  const auto fitted = fit_isotonic(p, truth);
  CHECK(fitted.from == std::vector{0.1, 0.2, 0.4, 0.6, 0.9});
  CHECK(fitted.to[1] == doctest::Approx(1. / 3));  // 0.2 (1 of 2) and 0.4 (0 of 1) pooled
  CHECK(fitted.to[2] == doctest::Approx(1. / 3));
  CHECK(fitted(0) == 0);
  CHECK(fitted(0.15) == doctest::Approx(1. / 6));
  CHECK(fitted(1) == 1);
}

TEST_CASE("what cannot be fitted is refused") {
  const std::vector<double> apart{0.1, 0.2, 0.8, 0.9}, falling{0.9, 0.8, 0.3, 0.2, 0.1}, equal(4, 0.3);
  const std::vector<std::uint8_t> truth{0, 0, 1, 1}, falls{0, 0, 1, 0, 1}, all(4, 1), two{0, 1, 2, 0};
  CHECK_THROWS_WITH_AS(fit_temperature(apart, truth), doctest::Contains("without an error"), Error);
  CHECK_THROWS_AS(fit_platt(apart, truth, false), Error);
  CHECK(fit_platt(apart, truth)(0.9) < 0.9);  // Platt's targets keep few cases from certainty
  CHECK_THROWS_WITH_AS(fit_platt(falling, falls), doctest::Contains("slope of platt: expected above 0"), Error);
  CHECK_THROWS_AS(fit_platt(equal, truth), Error);
  CHECK_THROWS_WITH_AS(fit_isotonic(apart, all), doctest::Contains("found 4 positives of 4"), Error);
  CHECK_THROWS_WITH_AS(fit_isotonic(apart, two), doctest::Contains("truth 2: expected 0 or 1, found 2"), Error);
  CHECK_THROWS_AS(fit_isotonic(apart, falls), Error);
}

TEST_CASE("a result says raw and calibrated, and the decision is made anew") {
  StudyResult result;
  result.decision = {true, 0.6, false, "highest slice probability >= 0.5", 0.5};
  result.slices = {{0, 0, 0.6, ""}, {1, 5, 0.1, ""}};
  result.lesions.resize(1);
  result.lesions[0].confidence = 0.7;
  Calibrator half;
  half.slope = 1;
  half.intercept = -1;
  SUBCASE("nothing without a calibration") {
    calibrate(result, {});
    CHECK(!result.decision.calibrated);
    CHECK(!result.decision.raw_probability);
  }
  SUBCASE("a detector's, against a threshold of the calibrated scale") {
    Calibration calibration;
    calibration.study = calibration.lesion = half;
    calibrate(result, calibration, 0.5);
    CHECK(result.decision.raw_probability == 0.6);
    CHECK(result.decision.probability == doctest::Approx(half(0.6)));
    CHECK(!result.decision.positive);
    CHECK(result.decision.rule == "highest slice probability >= 0.5, calibrated by platt (>= 0.5)");
    CHECK(half(*result.decision.slice_threshold) == doctest::Approx(0.5));  // the slices' own, raw, scale
    CHECK(half(*result.decision.slice_threshold) < 0.5);
    CHECK(result.lesions[0].raw_confidence == 0.7);
    CHECK(result.lesions[0].calibrated);
    CHECK(!result.slices[0].raw_probability);
  }
  SUBCASE("a classifier's, whose thresholds go the same way") {
    result.decision.slice_threshold = 0.5;
    result.decision.rule = "1 of 2 slices > 0.5";
    Calibration calibration;
    calibration.study = calibration.slice = half;
    calibrate(result, calibration);
    CHECK(result.decision.positive);
    CHECK(result.decision.threshold == doctest::Approx(half(0.5)));
    CHECK(*result.decision.slice_threshold == doctest::Approx(half(0.5)));
    CHECK(*result.slices[1].raw_probability == 0.1);
    CHECK(result.decision.rule == "1 of 2 slices > 0.5, calibrated by platt (> 0.268941)");
  }
}

TEST_CASE("a plateau turns no decision round, and gives no threshold of 0 or 1") {
  Calibrator steps;
  steps.method = CalibrationMethod::isotonic;
  steps.from = {0.1, 0.4, 0.7, 0.9};
  steps.to = {0, 0.3, 0.3, 1};
  CHECK(steps(0.55) > steps(0.5));
  CHECK(steps(0.55) == doctest::Approx(0.3).epsilon(1e-9));
  CHECK(steps(0.05) > 0);
  CHECK(steps(0.95) < 1);
  StudyResult result;
  result.decision = {true, 0.55, false, "1 of 3 slices > 0.5", 0.5, 0.5};
  result.slices = {{0, 0, 0.55, ""}, {1, 5, 0.45, ""}, {2, 10, 0, "", false}};
  Calibration calibration;
  calibration.study = calibration.slice = steps;
  Calibrator shift;
  shift.intercept = 3;
  SUBCASE("of a classifier") {
    calibrate(result, calibration);
    CHECK(result.decision.positive);
    CHECK(result.decision.probability > result.decision.threshold);
    CHECK(result.slices[0].probability > *result.decision.slice_threshold);
    CHECK(result.slices[1].probability < *result.decision.slice_threshold);
  }
  SUBCASE("no network was asked: 0 stays") {
    calibration.slice = shift;
    calibrate(result, calibration);
    CHECK(result.slices[1].probability > 0.5);
    CHECK(result.slices[2].probability == 0);
  }
  SUBCASE("a classifier's threshold counts without a calibration") {
    calibrate(result, {}, 0.6);
    CHECK(!result.decision.positive);
    CHECK(result.decision.threshold == 0.6);
    CHECK(result.decision.rule == "1 of 3 slices > 0.5 (> 0.6 instead)");
    CHECK(*result.decision.slice_threshold == 0.5);
  }
  SUBCASE("a detector's slices are marked where they would make the study positive, in any scale") {
    result.decision.slice_threshold.reset();
    calibration.study = shift;
    calibration.slice.reset();
    SUBCASE("raw") {}
    SUBCASE("calibrated") { calibration.slice = steps; }
    const double raw = 1 / (1 + std::exp(3.));  // shift(raw) is 0.5
    result.slices[1].probability = raw + 1e-3;
    result.slices[2] = {2, 10, raw - 1e-3, ""};
    calibrate(result, calibration, 0.5);
    CHECK(result.slices[1].probability > *result.decision.slice_threshold);
    CHECK(result.slices[2].probability < *result.decision.slice_threshold);
  }
  SUBCASE("what is no calibrator is refused") {
    calibration.study->from.clear();
    CHECK_THROWS_AS(calibrate(result, calibration), Error);
    CHECK_THROWS_AS((*calibration.study)(0.5), Error);
  }
}
