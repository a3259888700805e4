#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "ichdet/bundle/ensemble_spec.hpp"
#include "ichdet/core/error.hpp"

using namespace ichdet;

namespace {

const std::string good = R"(
ensemble: 1
name: viola
classes: [{name: background, blood: false}, {name: ICH, blood: true}]
rule: logits
members:
  - {bundle: one, weight: 2, classes: {IPH: ICH, oedema: background}}
  - {bundle: two, kind: slice classification}
calibration: {study: {method: temperature, temperature: 2}}
thresholds: {study: 0.3}
review: [0.2, 0.5]
)";

std::string with(const std::string& part, const std::string& other) {
  auto text = good;
  const auto at = text.find(part);
  REQUIRE(at != std::string::npos);
  return text.replace(at, part.size(), other);
}

std::string refusal(const std::string& yaml) {
  try {
    parse_ensemble(yaml, "viola.yaml");
  } catch (const Error& e) {
    CHECK(e.code() == ErrorCode::weights);
    return e.what();
  }
  return "accepted";
}

}  // namespace

TEST_CASE("ensemble: what the file says") {
  const auto spec = parse_ensemble(good, "viola.yaml");
  CHECK(spec.name == "viola");
  CHECK(spec.rule == ensemble::CombineRule::logits);
  CHECK(!spec.staple);
  CHECK(spec.classes[1].name == "ICH");
  CHECK(spec.members[0].weight == 2);
  CHECK(spec.members[0].classes.at("oedema") == "background");
  CHECK(!spec.members[0].kind);
  CHECK(spec.members[1].kind == Task::slice_classification);
  CHECK(spec.calibration.study->slope == 0.5);
  CHECK(spec.thresholds.at("study") == 0.3);
  CHECK(spec.review.high == 0.5);
  CHECK(parse_ensemble(with("logits\nmembers:\n  - {bundle: one, weight: 2,", "staple\nmembers:\n  - {bundle: one,"),
                       "viola.yaml")
            .staple);
  CHECK(parse_ensemble("{ensemble: 1, name: a, rule: mean, members: [{bundle: b}]}", "a.yaml").classes.empty());
}

TEST_CASE("ensemble: refusals name the file, the place, what was expected and what was found") {
  CHECK(refusal(with("rule: logits", "rule: median")) ==
        "viola.yaml: /rule: expected one of mean, logits, majority, union, stacking, staple, found \"median\"");
  CHECK(refusal(with("weight: 2", "weight: -2")) ==
        "viola.yaml: /members/0/weight: expected a number from 1e-6 to 1e6, found -2");
  for (const char* weight : {"weight: 1e39", "weight: 1e-50", "weight: 0"}) {
    CHECK(refusal(with("weight: 2", weight)).find("expected a number from 1e-6 to 1e6") != std::string::npos);
  }
  CHECK(refusal(with("rule: logits", "rule: union")).starts_with("viola.yaml: /members/0/weight: expected none with"));
  CHECK(refusal(with("kind: slice classification", "kind: slice classification, weight: -1")).find("1e-6 to 1e6") !=
        std::string::npos);
  CHECK(refusal(with("kind: slice classification", "kind: slice classification, classes: {a: b}")) ==
        "viola.yaml: /members/1/classes: expected none of a slice classifier, found {\"a\":\"b\"}");
  CHECK(refusal(with("blood: true", "blood: false")).starts_with("viola.yaml: /classes: expected a class with blood"));
  CHECK(refusal(good + "---\na: 1\n") == "viola.yaml: expected one YAML document, found 2");
  std::string bomb = "ensemble: &a \"" + std::string(100'000, 'x') + "\"\nname: [";
  for (int i = 0; i < 100; ++i) bomb += "*a, ";
  CHECK(refusal(bomb + "1]\n").find("expected less text") != std::string::npos);
  CHECK(refusal(with("weight: 2", "wieght: 2")) == "viola.yaml: /members/0/wieght: unknown key");
  CHECK(refusal(with("rule: logits", "rule: stacking")) == "viola.yaml: /intercept: is missing");
  CHECK(refusal(with("rule: logits", "rule: logits\nintercept: 1")) == "viola.yaml: /intercept: unknown key");
  CHECK(refusal(with("kind: slice", "kind: exam")).starts_with("viola.yaml: /members/1/kind: expected one of seg"));
  CHECK(refusal(with("blood: false", "blood: true")).starts_with("viola.yaml: /classes/0/blood: expected false"));
  CHECK(refusal(with("temperature: 2", "temperature: -2")).starts_with("viola.yaml: /calibration/study/temperature:"));
  CHECK(refusal(with("study: 0.3", "study: 1.3")).starts_with("viola.yaml: /thresholds/study: expected a number"));
  CHECK(refusal(with("[0.2, 0.5]", "[0.5, 0.2]")).starts_with("viola.yaml: /review: expected [low, high]"));
  CHECK(refusal(with("ensemble: 1", "ensemble: 2")).starts_with("viola.yaml: /ensemble: expected 1"));
  CHECK(refusal("ensemble: [1").starts_with("viola.yaml: line "));
}

TEST_CASE("ensemble: members are looked for beside the file") {
  namespace fs = std::filesystem;
  const auto folder = fs::path(ICHDET_BINARY_DIR) / "tests" / "ensemble_spec";
  fs::create_directories(folder / "one");
  std::ofstream(folder / "one" / "bundle.json") << "{}";
  std::ofstream(folder / "good.yaml") << "{ensemble: 1, name: a, rule: mean, members: [{bundle: one}]}";
  CHECK(read_ensemble(folder / "good.yaml").members[0].folders == std::vector{folder / "one"});
  std::ofstream(folder / "bad.yaml") << "{ensemble: 1, name: a, rule: mean, members: [{bundle: one}, {bundle: ./two}]}";
  CHECK_THROWS_WITH_AS(read_ensemble(folder / "bad.yaml"), doctest::Contains("bad.yaml: /members/1/bundle: ./two"),
                       Error);
  std::ofstream(folder / "long.yaml") << "{ensemble: 1, name: a, rule: mean, members: [{bundle: " +
                                             std::string(300, 'x') + "}]}";
  CHECK_THROWS_WITH_AS(read_ensemble(folder / "long.yaml"), doctest::Contains("long.yaml: /members/0/bundle: "), Error);
  CHECK_THROWS_WITH_AS(read_ensemble(folder / "none.yaml"), doctest::Contains("expected an ensemble's YAML"), Error);
}
