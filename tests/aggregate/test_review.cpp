#include <doctest/doctest.h>

#include "ichdet/aggregate/review.hpp"
#include "ichdet/core/error.hpp"

using namespace ichdet;

TEST_CASE("review: 0.4 to 0.6 in use; with annotation, what lies on the wrong side or near it") {
  CHECK(needs_review(0.4));
  CHECK(needs_review(0.6));
  CHECK(!needs_review(0.39));
  CHECK(!needs_review(0.61));
  const std::vector<std::uint8_t> truth{1, 1, 1, 0, 0, 0};
  const std::vector<double> probabilities{0.05, 0.6, 0.61, 0.39, 0.4, 0.99};
  CHECK(difficult_cases(truth, probabilities) == std::vector<std::int64_t>{0, 1, 4, 5});
  CHECK_THROWS_AS(difficult_cases(truth, std::vector<double>{0.5}), Error);
  CHECK_THROWS_WITH_AS(difficult_cases(truth, probabilities, {0.7, 0.6}), doctest::Contains("review range"), Error);
}

TEST_CASE("review: the result says why") {
  StudyResult result;
  result.decision.probability = 0.52;
  flag_for_review(result);
  REQUIRE(result.review.size() == 1);
  CHECK(result.review[0] == "undecided: the probability 0.52 lies in 0.4 to 0.6");
  result.decision.probability = 0.9;
  flag_for_review(result);
  CHECK(result.review.size() == 1);
}
