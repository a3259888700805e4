#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "ichdet/core/error.hpp"
#include "ichdet/report/figures.hpp"
#include "ichdet/report/model_card.hpp"

using namespace ichdet;

namespace {

evaluate::StudyOutcome outcome(const std::string& study, double with_blood, double without) {
  evaluate::StudyOutcome o;
  o.study = study;
  o.slices = {{with_blood, true, 1}, {without, false, 0.25}};
  o.overlap = evaluate::Overlap{90, 110, 80};
  o.predicted_ml = 9;
  o.truth_ml = 11;
  return o;
}

}  // namespace

TEST_CASE("a card holds figures with intervals, the worst cases by name, and says what nobody stated") {
  evaluate::FiguresOptions options;
  options.bootstrap.resamples = 50;
  const auto figures = to_json(evaluate::figures({outcome("a1", 0.9, 0.2), outcome("b2", 0.7, 0.6)}, options));
  ModelCard card;
  card.title = "A model";
  card.bundles.push_back({{"name", "m"}, {"version", "2"}, {"architecture", {{"name", "ViolaUnet"}}}});
  card.bundles.push_back({{"name", "n"}, {"licence", {{"spdx", "MIT"}, {"file", "LICENSE"}}}});
  card.trainings.push_back({{"recipe", "r.yaml"},
                            {"hours", 1.5},
                            {"parent", {{"name", "m"}, {"version", "1"}, {"sha256", "abc"}}},
                            {"sets", {{{"set", "train"}, {"studies", 62}, {"patients", 61}, {"slices", 1800}}}}});
  card.figures.emplace_back("validation, 17 patients", figures);
  card.limits = {"One hospital."};
  const auto text = model_card(card);
  const auto has = [&](const std::string& words) { return text.find(words) != text.npos; };
  CHECK(has("# A model"));
  CHECK(has("Not for clinical use"));
  CHECK(has("| network | ViolaUnet |"));
  CHECK(has("| licence | not stated |"));
  CHECK(has("| licence | MIT |"));
  CHECK(has("| hours | 1.50 |"));
  CHECK(has("| parent | m 1 (abc) |"));
  CHECK(has("| train | 62 | 61 | 1800 |"));
  CHECK(has("| Dice, mean over patients with blood | 0.800 | 0.800 to 0.800 |"));
  CHECK(has("| slice AUC | 1.000 |"));
  CHECK(has("| slice specificity at 0.50 | 0.500 | 0.000 to 1.000 | 1 of 2 |"));
  CHECK(has("without a lesion above 0.2 mL | 0.000 |"));
  CHECK(has("| b2 | 1 | 0.25 |"));
  CHECK(has("- One hospital."));
  CHECK_FALSE(has("nan"));
}

TEST_CASE("a card of wrong parts is refused by name") {
  ModelCard card;
  card.title = "A model";
  card.figures.emplace_back("validation", nlohmann::ordered_json{{"dice", 1}});
  CHECK_THROWS_WITH_AS(model_card(card), doctest::Contains("figures"), Error);
  card.figures.clear();
  card.bundles.push_back({{"name", "m"}});
  card.trainings.push_back({{"hours", "long"}});
  CHECK_THROWS_WITH_AS(model_card(card), doctest::Contains("A model"), Error);
}
