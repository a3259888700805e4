#include <doctest/doctest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "ichdet/report/evaluation.hpp"
#include "ichdet/report/evaluation_plots.hpp"
#include "ichdet/report/svg_plot.hpp"

using namespace ichdet;

TEST_CASE("ticks are round and cover the axis") {
  CHECK(svg::ticks(0, 1).size() == 6);
  CHECK(svg::ticks(0, 1)[1] == doctest::Approx(0.2));
  CHECK(svg::ticks(-31, 47) == std::vector<double>{-20, 0, 20, 40});
  const auto axis = svg::around(-31, 47, "mL");
  CHECK(axis.low == -40);
  CHECK(axis.high == 60);
  const auto point = svg::around(5, 5, "mL");  // one value has an axis too
  CHECK(point.low < 5);
  CHECK(point.high > 5);
  CHECK(svg::ticks(1e17, 1e17 + 16).size() <= 6);  // closer than whole numbers of steps are told apart
  const auto close = svg::around(1e6, std::nextafter(1e6, 2e6), "mL");
  CHECK(close.high - close.low > 1);
  CHECK(svg::label(-0.5) ==
        "\xE2\x88\x92"
        "0.5");
}

TEST_CASE("text is made safe") {
  CHECK(svg::escaped("a < \"b\" & c>") == "a &lt; &quot;b&quot; &amp; c&gt;");
  CHECK(svg::escaped("\xC3\xA9\xFF") == "\xC3\xA9\xEF\xBF\xBD");
}

TEST_CASE("a plot puts its marks where the axes say") {
  svg::Plot plot({0, 10, "x, mL"}, {0, 1, "y"}, "A plot", 200, 100);
  plot.circle(0, 0, 3, "");
  plot.circle(10, 1, 3, "");
  plot.circle(std::numeric_limits<double>::quiet_NaN(), 1, 3, "");
  const auto text = plot.str();
  CHECK(text.find("cx=\"58\" cy=\"56\"") != text.npos);   // margins: left 58, bottom 44
  CHECK(text.find("cx=\"186\" cy=\"10\"") != text.npos);  // right 14, top 10
  CHECK(text.find("nan") == text.npos);
  CHECK(text.find(">x, mL</text>") != text.npos);
}

TEST_CASE("an evaluation of two models is written in all three ways") {
  evaluate::Cohort cohort;
  cohort.unit = "patient";
  cohort.ids = {"a", "b", "c", "d"};
  cohort.patient_of_row = {0, 1, 2, 3};
  cohort.patients = 4;
  cohort.classes = {"blood"};
  cohort.truth = {{0, 0, 1, 1}};
  cohort.truth_volumes_ml = {0, 0, 10, 20};
  cohort.models = {{"first", {{0.1, 0.6, 0.4, 0.9}}, {}}, {"second", {{0.2, 0.1, 0.8, 0.7}}, {0, 1, 11, 18}}};
  evaluate::EvaluationOptions options;
  options.bootstrap.resamples = 100;
  const auto evaluation = evaluate::evaluate_cohort(cohort, options);
  const auto json = to_json(evaluation);
  CHECK(json["models"][0]["areas"]["roc_auc"]["value"] == 0.75);
  CHECK(json["models"][1]["thresholds"][0]["rates"]["accuracy"]["value"] == 1);
  CHECK(json["volumes"][0]["bias_ml"] == 0);
  CHECK(json["pairs"][0]["mcnemar"][0]["only_b_right"] == 2);
  CHECK(summary(evaluation).find("ROC AUC") != std::string::npos);
  const auto page = html_page(evaluation, {"A title", "p.csv", "t.csv", "ichdet"});
  CHECK(page.find("<h1>A title</h1>") != page.npos);
  // The second model has the second colour, with its volumes as with its curve.
  CHECK(svg::bland_altman_plot(evaluation.volumes[0], 1).find(svg::model_color(1)) != std::string::npos);
  const auto volumes = page.substr(page.find("<h2>Volumes</h2>"));
  CHECK(volumes.find(svg::model_color(1)) != volumes.npos);
  CHECK(volumes.find(svg::model_color(0)) == volumes.npos);
  CHECK(html_page(evaluate::Evaluation{}).find("Not for clinical use") != std::string::npos);
}
