#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "ichdet/bundle/calibration.hpp"
#include "ichdet/core/error.hpp"

using namespace ichdet;
using nlohmann::json;

namespace {

std::string refusal(const json& value) {
  try {
    parse_calibration(value, "bundle.json");
  } catch (const Error& e) {
    CHECK(e.code() == ErrorCode::weights);
    return e.what();
  }
  return "accepted";
}

}  // namespace

TEST_CASE("calibration: what is written is read back") {
  const json value{{"study", {{"method", "platt"}, {"slope", 1.5}, {"intercept", -0.25}, {"fitted_on", "120 cases"}}},
                   {"slice", {{"method", "temperature"}, {"temperature", 2.0}}},
                   {"lesion", {{"method", "isotonic"}, {"points", {{0.1, 0.0}, {0.5, 0.25}, {0.9, 1.0}}}}}};
  const auto calibration = parse_calibration(value, "bundle.json");
  CHECK(calibration.study->slope == 1.5);
  CHECK(calibration.slice->slope == 0.5);
  CHECK((*calibration.lesion)(0.7) == doctest::Approx(0.625));
  CHECK(to_json(calibration) == value);
  CHECK(parse_calibration(json::object(), "bundle.json").empty());
}

TEST_CASE("calibration: what is none is refused, by its place") {
  CHECK(refusal({{"case", json::object()}}) == "bundle.json: /calibration/case: unknown key");
  CHECK(refusal({{"study", {{"method", "beta"}}}}) ==
        "bundle.json: /calibration/study/method: expected one of temperature, platt, isotonic, found \"beta\"");
  CHECK(refusal({{"study", {{"method", "platt"}, {"slope", 1}}}}).ends_with("/intercept: is missing"));
  CHECK(
      refusal({{"study", {{"method", "platt"}, {"slope", -1}, {"intercept", 0}}}}).find("/slope: expected a number") !=
      std::string::npos);
  CHECK(refusal({{"study", {{"method", "temperature"}, {"temperature", 0}}}}).find("/temperature: expected a number") !=
        std::string::npos);
  CHECK(refusal({{"study", {{"method", "temperature"}, {"temperature", 1}, {"slope", 1}}}}).find("/slope: unknown") !=
        std::string::npos);
  CHECK(
      refusal({{"lesion", {{"method", "isotonic"}, {"points", {{0.5, 0.2}, {0.5, 0.4}}}}}}).find("point 1: expected") !=
      std::string::npos);
  CHECK(refusal({{"lesion", {{"method", "isotonic"}, {"points", {{0.5, 1.2}}}}}}).find("found 1.2") !=
        std::string::npos);
}
