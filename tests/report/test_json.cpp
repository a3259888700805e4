#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "ichdet/core/error.hpp"
#include "ichdet/report/json.hpp"
#include "ichdet/report/summary.hpp"

using namespace ichdet;

namespace {

StudyResult example() {
  StudyResult result;
  result.version = "0.1.0";
  result.decision = {true, 0.875, false, "highest slice probability >= 0.5"};
  result.labels = {{1, "IPH"}, {4, "IVH"}};
  result.volumes_ml = {{"IPH", 12.25}, {"IVH", 0}};
  result.lesions = {{"IPH", 12.0, 31.5, {12.5, -3.0, 40.1}, {3, 4, 5, 9}, 0.81, false},
                    {"IPH", 0.04, 5, {-12.5, 3.0, -0.2}, {1}, 0.55, false}};
  result.slices = {{0, 10.0, 0.1, "1.2.3"}, {1, 15.0, 0.875, ""}};
  result.assumptions = {"the thickness was taken to be 5 mm"};
  result.trust = {false, {"the scan is cut at the vertex"}};
  result.inference = {"torch", "traced graph", "adaptive", "OpenVINO: no plug-in", 2, 0.25, 4000, 900};
  result.bundles = {{"blast-ct-v1", "1", std::string(64, 'a')}};
  result.timings_s = {{"read", 0.1}, {"infer", 4.2}};
  return result;
}

}  // namespace

TEST_CASE("a result has the fields of the contract") {
  const auto json = to_json(example());
  CHECK(json["version"] == "0.1.0");
  CHECK(json["decision"] == true);
  CHECK(json["probability"] == 0.875);
  CHECK(json["calibrated"] == false);
  CHECK(json["labels"] == nlohmann::ordered_json{{"1", "IPH"}, {"4", "IVH"}});
  CHECK(json["volumes_ml"]["IPH"] == 12.25);
  CHECK(json["lesions"][0]["slices"] == nlohmann::ordered_json{3, 4, 5, 9});
  CHECK(json["lesions"][0]["centroid_mm"][2] == 40.1);
  CHECK(json["slices"][1]["sop_instance_uid"] == "");
  CHECK(json["trust"]["ok"] == false);
  CHECK(json["inference"]["engine"] == "torch");
  CHECK(json["inference"]["reason"] == "OpenVINO: no plug-in");
  CHECK(json["inference"]["float32_again"] == 900);
  CHECK(json["bundle"]["name"] == "blast-ct-v1");
  CHECK(json["timings_s"].dump() == R"({"read":0.1,"infer":4.2})");
  CHECK(json["not_for_clinical_use"] == true);
}

TEST_CASE("an ensemble names its members") {
  auto result = example();
  result.bundles.push_back({"blast-ct-v1-2", "1", std::string(64, 'b')});
  const auto json = to_json(result);
  CHECK(json["bundle"]["name"] == "blast-ct-v1 + blast-ct-v1-2");
  CHECK(json["bundle"]["version"] == "1");
  CHECK(json["bundle"]["sha256"] == "");
  CHECK(json["bundles"].size() == 2);
}

TEST_CASE("a result reads back as it was written") {
  const auto path = std::filesystem::temp_directory_path() / "ichdet_test_result.json";
  auto result = example();
  result.slices[0].probability = 1.0 / 3;
  write_result(path, result);
  const auto again = read_result(path);
  CHECK(to_json_text(again) == to_json_text(result));
  CHECK(again.slices[0].probability == 1.0 / 3);
  CHECK(again.lesions[0].centroid_mm == result.lesions[0].centroid_mm);
  CHECK_FALSE(to_json(again)["slices"][1].contains("computed"));
  result.slices[1].computed = false;  // of a detector too
  write_result(path, result);
  CHECK_FALSE(read_result(path).slices[1].computed);
  std::filesystem::remove(path);
}

TEST_CASE("what JSON cannot hold and what is no result is refused by name") {
  auto result = example();
  result.lesions[1].confidence = std::nan("");
  CHECK_THROWS_WITH_AS(to_json(result), "result.lesions[1].confidence: expected a finite number, found nan", Error);

  auto json = to_json(example());
  json["slices"][1].erase("z_mm");
  CHECK_THROWS_WITH_AS(study_result_from_json(json), "result.slices[1].z_mm: expected, not found", Error);
  json = to_json(example());
  json["probability"] = "high";
  CHECK_THROWS_AS(study_result_from_json(json), Error);
  json = to_json(example());
  json["labels"]["one"] = "x";
  CHECK_THROWS_AS(study_result_from_json(json), Error);
  CHECK_THROWS_AS(study_result_from_json(nlohmann::ordered_json::array()), Error);
  CHECK_THROWS_AS(read_result("/nowhere/result.json"), Error);

  const auto path = std::filesystem::temp_directory_path() / "ichdet_test_broken.json";
  std::ofstream(path) << "{\"version\":";
  CHECK_THROWS_WITH_AS(read_result(path), doctest::Contains("ichdet_test_broken.json: not valid JSON"), Error);
  std::filesystem::remove(path);
}

TEST_CASE("a summary says what matters") {
  auto result = example();
  const auto text = summary(result);
  CHECK(text.starts_with("Hemorrhage: IPH 12.2 mL\n"));
  CHECK(text.find("slices 3-5, 9") != std::string::npos);
  CHECK(text.find("L 12 A 3 S 40 mm") != std::string::npos);
  CHECK(text.find("REVIEW") != std::string::npos);
  CHECK(text.find("review: the scan is cut at the vertex") != std::string::npos);
  CHECK(text.find("assumed: the thickness") != std::string::npos);
  CHECK(text.find("ran on: torch, adaptive (traced graph)\n  because OpenVINO: no plug-in\n") != std::string::npos);
  CHECK(text.find("NOT FOR CLINICAL USE") != std::string::npos);
  CHECK(summary(result, {1}).find("and 1 smaller lesions") != std::string::npos);
  result.decision.positive = false;
  CHECK(finding(result) == "No hemorrhage found (outlined below the threshold: IPH 12.2 mL)");
  result.volumes_ml["IVH"] = 2;
  result.blood_labels = {4};
  result.decision.positive = true;
  CHECK(finding(result) == "Hemorrhage: IVH 2.0 mL; IPH 12.2 mL");
  result.volumes_ml = {};
  CHECK(finding(result) == "Hemorrhage suspected, nothing outlined");
  result.decision.positive = false;
  CHECK(finding(result) == "No hemorrhage found");
}
