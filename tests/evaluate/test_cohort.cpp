#include <doctest/doctest.h>

#include <cmath>

#include "ichdet/core/error.hpp"
#include "ichdet/evaluate/cohort.hpp"
#include "ichdet/evaluate/evaluation.hpp"

using namespace ichdet;
using namespace ichdet::evaluate;

namespace {

Cohort join(const std::string& predictions, const std::string& truth, const CohortOptions& options = {}) {
  return join_cohort(parse_csv(predictions, "pred.csv"), parse_csv(truth, "truth.csv"), options);
}

}  // namespace

TEST_CASE("CSV as RFC 4180 has it") {
  const auto table = parse_csv(
      "\xEF\xBB\xBF"
      "a, b ,\"c,\"\"d\"\"\"\r\n1,\"two\nlines\",\n\n 3 ,\"\",x",
      "t.csv");
  CHECK(table.columns == std::vector<std::string>{"a", "b", "c,\"d\""});
  REQUIRE(table.rows.size() == 2);
  CHECK(table.rows[0].cells == std::vector<std::string>{"1", "two\nlines", ""});
  CHECK(table.rows[1].cells == std::vector<std::string>{"3", "", "x"});
  CHECK(table.rows[0].line == 2);
  CHECK(table.rows[1].line == 5);
  CHECK(parse_csv("a\n1\n", "t.csv").rows.size() == 1);
  CHECK_THROWS_WITH_AS(parse_csv("", "t.csv"), "t.csv: expected a line of column names, found an empty file", Error);
  CHECK_THROWS_WITH_AS(parse_csv("a,b\n1\n", "t.csv"), "t.csv, line 2: expected 2 cells, as the header has, found 1",
                       Error);
  CHECK_THROWS_WITH_AS(parse_csv("a,a\n", "t.csv"), "t.csv, line 1: two columns \"a\"", Error);
  CHECK_THROWS_WITH_AS(parse_csv("a,\n", "t.csv"), "t.csv, line 1: column 2 has no name", Error);
  CHECK_THROWS_WITH_AS(parse_csv("a\n\"1", "t.csv"), "t.csv, line 2: a quote is not closed", Error);
  CHECK_THROWS_AS(parse_csv("a\n\"1\"x\n", "t.csv"), Error);
  CHECK_THROWS_WITH_AS(parse_csv("a;b\n", "t.csv"),
                       "t.csv, line 1: expected columns separated by commas, found \"a;b\"", Error);
}

TEST_CASE("CSV is UTF-8") {
  CHECK(parse_csv("a\n\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\n", "t.csv").rows.size() == 1);
  CHECK_THROWS_WITH_AS(parse_csv("a\n1\nJos\xE9\n", "t.csv"), "t.csv, line 3: expected UTF-8, found the byte 0xE9",
                       Error);
  for (const char* wrong :
       {"\xC0\xAF", "\xE0\x80\xAF", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\x80", "\xE2\x82", "\xFF\xFE"}) {
    CHECK_THROWS_AS(parse_csv(std::string("a\n") + wrong, "t.csv"), Error);
  }
}

TEST_CASE("a header may be long" * doctest::timeout(10)) {
  std::string header = "c0";
  for (int i = 1; i < 200000; ++i) header += ",c" + std::to_string(i);
  CHECK(parse_csv(header, "t.csv").columns.size() == 200000);
}

TEST_CASE("a path that cannot be looked up is refused as one that cannot be read") {
  CHECK_THROWS_AS(read_csv(std::string(5000, 'a')), Error);
}

TEST_CASE("any label but 0 is positive") {
  Cohort cohort;
  cohort.unit = "patient";
  cohort.ids = {"a", "b", "c", "d"};
  cohort.patient_of_row = {0, 1, 2, 3};
  cohort.patients = 4;
  cohort.classes = {"blood"};
  cohort.models = {{"model", {{0.1, 0.6, 0.4, 0.9}}, {}}};
  cohort.truth = {{0, 0, 2, 255}};
  EvaluationOptions options;
  options.bootstrap.resamples = 100;
  const auto evaluation = evaluate_cohort(cohort, options);
  cohort.truth = {{0, 0, 1, 1}};
  const auto expected = evaluate_cohort(cohort, options);
  const auto figures = [](const Evaluation& e) {
    std::vector<double> values;
    for (const auto* estimates : {&e.models[0].areas, &e.models[0].thresholds[0].rates}) {
      for (const auto& estimate : *estimates) {
        values.push_back(estimate.value);
        values.push_back(estimate.bootstrap.interval.low);
        values.push_back(estimate.bootstrap.interval.high);
      }
    }
    return values;
  };
  CHECK(figures(evaluation) == figures(expected));
}

TEST_CASE("rows are joined by what both files name") {
  const auto cohort = join("study,A,B,A:volume_ml\ns3,0.3,0.5,7\ns1,0.1,0.9,\nextra,0,0,0\n",
                           "patient,study,blood,volume_ml\np,s1,1,5.5\nq,s2,0,0\np,s3,0,\n");
  CHECK(cohort.unit == "study");
  CHECK(cohort.ids == std::vector<std::string>{"s1", "s3"});
  CHECK(cohort.patients == 1);
  CHECK(cohort.only_in_truth == std::vector<std::string>{"s2"});
  CHECK(cohort.only_in_predictions == std::vector<std::string>{"extra"});
  CHECK(cohort.truth[0] == std::vector<std::uint8_t>{1, 0});
  REQUIRE(cohort.models.size() == 2);
  CHECK(cohort.models[0].probabilities[0] == std::vector<double>{0.1, 0.3});
  CHECK(cohort.models[1].probabilities[0] == std::vector<double>{0.9, 0.5});
  CHECK(std::isnan(cohort.models[0].volumes_ml[0]));
  CHECK(cohort.models[0].volumes_ml[1] == 7);
  CHECK(cohort.models[1].volumes_ml.empty());
  CHECK(cohort.truth_volumes_ml[0] == 5.5);
  CHECK(cohort.notes.empty());
  CHECK(join("study,A\ns,1\n", "study,y\ns,1\n").notes.size() == 1);  // each study a patient
}

TEST_CASE("classes, slices and choices") {
  const std::string truth = "study,slice,any,SDH\ns,0,1,0\ns,1,1,1\nt,0,0,0\n";
  const auto cohort = join("study,slice,any,SDH,B:any\ns,0,.1,.2,.3\ns,1,.4,.5,.6\nt,0,.7,.8,.9\n", truth);
  CHECK(cohort.unit == "slice");
  CHECK(cohort.ids[1] == "s / 1");
  CHECK(cohort.patients == 2);
  CHECK(cohort.classes == std::vector<std::string>{"any", "SDH"});
  CHECK(cohort.models[0].name == "pred");
  CHECK(cohort.models[0].probabilities[1] == std::vector<double>{.2, .5, .8});
  CHECK(cohort.models[1].probabilities[1].empty());
  const auto chosen = join("study,slice,age,B:any\ns,0,x,.3\n", truth, {{"B"}, {"any"}});  // "age" is not read
  CHECK(chosen.models.size() == 1);
  CHECK(chosen.classes.size() == 1);
  const auto evaluation = evaluate_cohort(cohort);
  CHECK(evaluation.models.size() == 3);
  CHECK(evaluation.pairs.size() == 1);
  CHECK(evaluation.notes.back().starts_with("Patients have several rows"));
}

TEST_CASE("refusals name file, line and column") {
  const std::string truth = "study,y\na,1\nb,0\n";
  const auto refused = [&](const std::string& predictions, const std::string& labels, const char* message) {
    CHECK_THROWS_WITH_AS(join(predictions, labels), message, Error);
  };
  refused("study,A\na,1.5\nb,0\n", truth,
          "pred.csv, line 2, column \"A\": expected a probability from 0 to 1, found \"1.5\"");
  refused("study,A\na,nan\nb,0\n", truth,
          "pred.csv, line 2, column \"A\": expected a probability from 0 to 1, found \"nan\"");
  refused("study,A\na,.5\nb,\n", truth,
          "pred.csv, line 3, column \"A\": expected a probability from 0 to 1, found \"\"");
  refused("study,A\na,.5\n", "study,y\na,0.5\n", "truth.csv, line 2, column \"y\": expected 0 or 1, found \"0.5\"");
  refused("study,A\na,.5\na,.5\n", truth, "pred.csv, line 3: study \"a\" is in line 2 already");
  refused("study,A\na,.5\n", "study,y\n,1\n",
          "truth.csv, line 2, column \"study\": expected a name, found an empty cell");
  refused("study,A\na,.5\nb,.5\n", "study,patient,y\na,p,1\nb,,0\n",
          "truth.csv, line 3, column \"patient\": expected a name, found an empty cell");
  refused("study,A:volume_ml\na,1e17\n", truth,
          "pred.csv, line 2, column \"A:volume_ml\": expected mL from 0 to 1000000, found \"1e17\"");
  refused("id,A\na,.5\n", truth,
          "pred.csv and truth.csv: expected a column \"study\" or \"patient\" in both, to join them by");
  refused("study,slice,A\na,0,.5\n", truth,
          "pred.csv has a row for each slice (column \"slice\"), truth.csv has not: give both, or first make one "
          "probability for each study of the slices'");
  refused("study,A\nx,.5\n", truth, "no study is in both pred.csv and truth.csv");
  refused("study\na\n", truth, "pred.csv: expected a column of probabilities or volumes, found none");
  refused(
      "study,A:z\na,1\n", truth,
      "pred.csv, line 1, column \"A:z\": expected MODEL:CLASS with a class of truth.csv (\"y\"), found class \"z\"");
  refused("study,A,A:y\na,1,1\n", truth, "pred.csv, line 1: columns \"A\" and \"A:y\" are one model's of one class");
  refused("study,A,B,volume_ml\na,1,1,1\n", truth,
          "pred.csv, line 1, column \"volume_ml\": there are several models; name its own, as in \"A:volume_ml\"");
  CHECK_THROWS_WITH_AS(join("study,A\na,1\n", truth, {{"C"}, {}}), "--model: expected one of \"A\", found \"C\"",
                       Error);
  CHECK_THROWS_WITH_AS(join("study,A\na,1\n", truth, {{}, {"C"}}), "--class: expected one of \"y\", found \"C\"",
                       Error);
}
