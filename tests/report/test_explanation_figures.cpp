#include <doctest/doctest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "ichdet/report/explanation_figures.hpp"

using namespace ichdet;

namespace {

std::vector<evaluate::MapOutcome> outcomes() {
  std::vector<evaluate::MapOutcome> all(2);
  all[0].study = "a, \"first\"";
  all[0].patient = "p";
  all[0].method = all[1].method = "xrai";
  all[0].slice = 7;
  all[0].energy = 0.25;
  all[1].study = all[1].patient = "b";
  all[1].energy = 0.75;
  return all;
}

}  // namespace

TEST_CASE("maps' figures as CSV: names in quotes where they need them, nothing where nothing was measured") {
  const auto text = csv(outcomes());
  CHECK(text.find("\n\"a, \"\"first\"\"\",p,7,xrai,,,,,0.25,,") != std::string::npos);
  CHECK(text.find("\nb,b,0,xrai,,,,,0.75,,") != std::string::npos);
}

TEST_CASE("methods' figures as a table, JSON and a picture") {
  evaluate::BootstrapOptions options;
  options.resamples = 200;
  auto figures = evaluate::explanation_figures(outcomes(), options);
  figures[0].sameness = 0.5;
  const auto table = markdown(figures);
  CHECK(table.find("| xrai | - | - | 0.500 (0.250 to 0.750) | - |") != std::string::npos);
  CHECK(table.find(" 0.50 |\n") != std::string::npos);
  const auto json = to_json(figures);
  CHECK(json[0]["figures"]["energy"]["value"] == 0.5);
  CHECK(json[0]["figures"]["insertion"]["value"].is_null());
  const auto picture = plot(figures);
  CHECK(picture.channels == 3);
  CHECK(std::count(picture.pixels.begin(), picture.pixels.end(), 178) > 0);  // a dot's blue
}
