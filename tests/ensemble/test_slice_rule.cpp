#include "ichdet/ensemble/slice_rule.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "ichdet/core/error.hpp"
#include "ichdet/ensemble/weights.hpp"
#include "ichdet/phantom/random.hpp"

using namespace ichdet;
using namespace ichdet::ensemble;

namespace {

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

/// Rows of map, area and classifier: `area` is the map's logit and noise, so that beside it it says nothing more.
struct Cases {
  std::vector<double> evidence, pairs;
  std::vector<std::uint8_t> truth;
};

Cases cases() {
  Cases made;
  for (std::uint64_t i = 0; i < 600; ++i) {
    const double map = 2 * counter_normal(1, 1, i), classifier = 2 * counter_normal(1, 2, i);
    const bool blood = counter_uniform(1, 4, i) < sigmoid(map + classifier);
    const double area = map - 1.5 * blood + 0.1 * counter_normal(1, 3, i);
    made.truth.push_back(blood);
    for (const double logit : {map, area, classifier}) made.evidence.push_back(sigmoid(logit));
    for (const double logit : {map, classifier}) made.pairs.push_back(sigmoid(logit));
  }
  return made;
}

}  // namespace

TEST_CASE("Evidence that would speak against blood beside the rest is left out of a slice's rule") {
  const auto made = cases();
  REQUIRE(fit_stacking(made.evidence, made.truth, {}).weights[1] < -1);
  const auto rule = fit_slice_rule(made.evidence, made.truth);
  const auto expected = fit_stacking(made.pairs, made.truth, {});
  CHECK(rule.weights[1] == 0);
  CHECK(rule.weights[0] == doctest::Approx(expected.weights[0]));
  CHECK(rule.weights[2] == doctest::Approx(expected.weights[1]));
  CHECK(rule.intercept == doctest::Approx(expected.intercept));
}

TEST_CASE("Evidence without a row for each slice, or none that speaks for blood, is refused") {
  const auto made = cases();
  const std::vector<std::uint8_t> fewer(made.truth.begin(), made.truth.end() - 1);
  CHECK_THROWS_AS((void)fit_slice_rule(made.evidence, fewer), Error);
  std::vector<double> against;
  for (const auto truth : made.truth) against.insert(against.end(), 3, truth == 1 ? 0.3 : 0.6);
  CHECK_THROWS_AS((void)fit_slice_rule(against, made.truth), Error);
}
