#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <random>

#include "ichdet/aggregate/case_rules.hpp"
#include "ichdet/core/error.hpp"

using namespace ichdet;

namespace {

CaseRule rule_of(CaseRuleKind kind) {
  CaseRule rule;
  rule.kind = kind;
  rule.top = 2;
  rule.logistic = {-1, {1, 2, 3, 4}};
  return rule;
}

}  // namespace

TEST_CASE("n % rule: the paper's examples, halves to even, and at least one") {
  CHECK(positives_needed(30, 10) == 3);
  CHECK(positives_needed(40, 10) == 4);
  CHECK(positives_needed(25, 10) == 2);   // 2.5
  CHECK(positives_needed(35, 10) == 4);   // 3.5
  CHECK(positives_needed(20, 7.5) == 2);  // 1.5
  CHECK(positives_needed(60, 7.5) == 4);  // 4.5
  CHECK(positives_needed(1, 10) == 1);
  CHECK(positives_needed(0, 10) == 1);
  CHECK(positives_needed(90, 35) == 32);  // 31.5, which 0.35 * 90 in binary is not
  CHECK(positives_needed(7, 100) == 7);
  CHECK_THROWS_WITH_AS(positives_needed(3, 0), doctest::Contains("percent: expected above 0"), Error);
  CHECK_THROWS_AS(positives_needed(3, std::nan("")), Error);
  CHECK_THROWS_AS(positives_needed(-1, 10), Error);
}

TEST_CASE("n % rule: its score is above the threshold exactly where enough slices are") {
  std::mt19937 random(7);
  std::uniform_int_distribution<int> step(0, 10), length(0, 60);
  CaseRule rule;
  for (int round = 0; round < 300; ++round) {
    std::vector<double> slices(std::size_t(length(random)));
    for (auto& p : slices) p = step(random) / 10.0;
    rule.percent = round % 2 == 0 ? 10 : 7.5;
    rule.slice_threshold = 0.7;
    std::int64_t positive = 0;
    for (const double p : slices) positive += p > 0.7;
    const bool expected = positive >= positives_needed(std::int64_t(slices.size()), rule.percent);
    CHECK((case_score(slices, rule) > rule.threshold()) == expected);
  }
}

TEST_CASE("the other rules, by hand") {
  const std::vector<double> slices{0.1, 0.5, 0.25, 0};
  CHECK(case_score(slices, rule_of(CaseRuleKind::maximum)) == 0.5);
  CHECK(case_score(slices, rule_of(CaseRuleKind::noisy_or)) == doctest::Approx(1 - 0.9 * 0.5 * 0.75));
  CHECK(case_score(slices, rule_of(CaseRuleKind::top_mean)) == doctest::Approx(0.375));
  const double z = -1 + 0.5 + 2 * (0.85 / 3) + 0 + 4 * (0.85 / 4);
  CHECK(case_score(slices, rule_of(CaseRuleKind::logistic)) == doctest::Approx(1 / (1 + std::exp(-z))));
  const std::vector<double> certain{1, 1, 1};
  for (const auto kind : {CaseRuleKind::maximum, CaseRuleKind::noisy_or, CaseRuleKind::top_mean}) {
    CHECK(case_score(certain, rule_of(kind)) == 1);
    CHECK(case_score({}, rule_of(kind)) == 0);
  }
  CHECK(case_score(std::vector<double>{0.4}, rule_of(CaseRuleKind::top_mean)) == 0.4);
  for (const auto kind : {CaseRuleKind::percent, CaseRuleKind::noisy_or, CaseRuleKind::logistic}) {
    CHECK(parse_case_rule(to_string(kind)) == kind);
  }
  CHECK_THROWS_WITH_AS(parse_case_rule("vote"), doctest::Contains("top-mean or logistic, found vote"), Error);
}

TEST_CASE("a cohort scores as its cases one by one, empty ones too") {
  const std::vector<double> all{0.9, 0.1, 0.85, 0.2, 0.95};
  const std::vector<std::int64_t> offsets{0, 2, 2, 5};
  for (const auto kind : {CaseRuleKind::percent, CaseRuleKind::maximum, CaseRuleKind::noisy_or, CaseRuleKind::top_mean,
                          CaseRuleKind::logistic}) {
    const auto rule = rule_of(kind);
    const auto scores = case_scores(all, offsets, rule);
    REQUIRE(scores.size() == 3);
    CHECK(scores[0] == case_score(std::span(all).first(2), rule));
    CHECK(scores[1] == 0);
    CHECK(scores[2] == case_score(std::span(all).last(3), rule));
  }
  CHECK(case_scores({}, std::vector<std::int64_t>{0}, {}).empty());
  for (const std::vector<std::int64_t>& bad : {std::vector<std::int64_t>{}, {0, 4}, {1, 5}, {0, 3, 2, 5}}) {
    CHECK_THROWS_WITH_AS(case_scores(all, bad, {}), doctest::Contains("case offsets"), Error);
  }
}

TEST_CASE("a decision says what it counted") {
  std::vector<SliceScore> slices;
  for (int k = 0; k < 30; ++k) slices.push_back({k, double(k), k < 2 ? 0.9 : 0.8, ""});
  auto decision = decide(slices, {});
  CHECK(!decision.positive);  // 0.8 is not above 0.8
  CHECK(decision.rule == "2 of 30 slices above 0.8; 3 or more (10 %) make the patient positive");
  CHECK(decision.slice_threshold == 0.8);
  slices[9].probability = 0.81;
  decision = decide(slices, {});
  CHECK(decision.positive);
  CHECK(decision.probability == 0.81);
  CHECK(decision.threshold == 0.8);
  CHECK(!decision.calibrated);
  CHECK(!decide({}, {}).positive);
  CHECK(decide(slices, rule_of(CaseRuleKind::maximum)).rule == "highest slice probability > 0.5");
}

TEST_CASE("what makes no sense is refused by name") {
  CHECK_THROWS_WITH_AS(case_score(std::vector<double>{0.1, 1.5}, {}), doctest::Contains("slice probability 1"), Error);
  CHECK_THROWS_AS(case_score(std::vector<double>{std::nan("")}, {}), Error);
  auto rule = rule_of(CaseRuleKind::top_mean);
  rule.top = 0;
  CHECK_THROWS_WITH_AS(case_score({}, rule), doctest::Contains("top: expected at least 1"), Error);
  rule = rule_of(CaseRuleKind::logistic);
  rule.logistic.weights.pop_back();
  CHECK_THROWS_WITH_AS(case_score({}, rule), doctest::Contains("4 weights"), Error);
  rule = {};
  rule.slice_threshold = 1;
  CHECK_THROWS_WITH_AS(case_score({}, rule), doctest::Contains("slice_threshold"), Error);
}

TEST_CASE("a logistic fit lies where its loss has no slope, separable or not") {
  const std::vector<double> x{0, 1, 2, 3, 4, 5};
  for (const std::vector<std::uint8_t>& y : {std::vector<std::uint8_t>{0, 0, 0, 1, 1, 1}, {0, 1, 0, 1, 0, 1}}) {
    LogisticFitOptions options;
    options.l2 = 1e-3;
    const auto model = fit_logistic(x, y, options);
    double intercept_slope = 0, slope = options.l2 * model.weights[0];
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double error = model(std::span(x).subspan(i, 1)) - y[i];
      intercept_slope += error;
      slope += error * x[i];
    }
    CHECK(std::abs(intercept_slope) < 1e-8);
    CHECK(std::abs(slope) < 1e-8);
  }
  const std::vector<std::uint8_t> y{0, 0, 0, 1, 1, 1}, same{1, 1, 1, 1, 1, 1}, two{0, 1, 2, 0, 1, 0};
  CHECK_THROWS_WITH_AS(fit_logistic(x, same), doctest::Contains("both 0 and 1"), Error);
  CHECK_THROWS_AS(fit_logistic(x, two), Error);
  CHECK_THROWS_AS(fit_logistic(std::span(x).first(5), y), Error);
  LogisticFitOptions options;
  options.l2 = 0;
  CHECK_THROWS_WITH_AS(fit_logistic(x, y, options), doctest::Contains("l2"), Error);
  options = {};
  options.max_iterations = 1;
  CHECK_THROWS_WITH_AS(fit_logistic(x, y, options), doctest::Contains("max_iterations"), Error);
}
