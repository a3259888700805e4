#include "ichdet/bundle/calibration.hpp"

#include "json_node.hpp"

namespace ichdet {
namespace {

using bundle::Node;
using ensemble::CalibrationMethod;
using ensemble::Calibrator;
using nlohmann::json;

Calibrator parse_calibrator(const Node& node) {
  Calibrator calibrator;
  calibrator.method = node.at("method").choice<CalibrationMethod>({{"temperature", CalibrationMethod::temperature},
                                                                   {"platt", CalibrationMethod::platt},
                                                                   {"isotonic", CalibrationMethod::isotonic}});
  switch (calibrator.method) {
    case CalibrationMethod::temperature:
      node.only({"method", "temperature", "fitted_on"});
      calibrator.slope = 1 / node.at("temperature").number_between(0, 1e9);
      break;
    case CalibrationMethod::platt:
      node.only({"method", "slope", "intercept", "fitted_on"});
      calibrator.slope = node.at("slope").number_between(0, 1e9);
      calibrator.intercept = node.at("intercept").number();
      break;
    case CalibrationMethod::isotonic:
      node.only({"method", "points", "fitted_on"});
      for (const auto& point : node.at("points").list(1)) {
        const auto pair = point.list(2);
        point.expect(pair.size() == 2, "[probability, calibrated]");
        calibrator.from.push_back(pair[0].number());
        calibrator.to.push_back(pair[1].number());
      }
      break;
  }
  if (const auto words = node.find("fitted_on")) calibrator.fitted_on = words->text(true);
  try {
    check(calibrator);
  } catch (const Error& e) {
    node.expect(false, e.what());
  }
  return calibrator;
}

json to_json(const Calibrator& calibrator) {
  json value{{"method", to_string(calibrator.method)}};
  switch (calibrator.method) {
    case CalibrationMethod::temperature: value["temperature"] = 1 / calibrator.slope; break;
    case CalibrationMethod::platt:
      value["slope"] = calibrator.slope;
      value["intercept"] = calibrator.intercept;
      break;
    case CalibrationMethod::isotonic:
      value["points"] = json::array();
      for (std::size_t i = 0; i < calibrator.from.size(); ++i) {
        value["points"].push_back({calibrator.from[i], calibrator.to[i]});
      }
      break;
  }
  if (!calibrator.fitted_on.empty()) value["fitted_on"] = calibrator.fitted_on;
  return value;
}

}  // namespace

json to_json(const ensemble::Calibration& calibration) {
  json value = json::object();
  if (calibration.study) value["study"] = to_json(*calibration.study);
  if (calibration.slice) value["slice"] = to_json(*calibration.slice);
  if (calibration.lesion) value["lesion"] = to_json(*calibration.lesion);
  return value;
}

ensemble::Calibration parse_calibration(const json& value, const std::string& subject, const std::string& path) {
  const Node node(value, subject, path);
  node.only({"study", "slice", "lesion"});
  ensemble::Calibration calibration;
  if (const auto study = node.find("study")) calibration.study = parse_calibrator(*study);
  if (const auto slice = node.find("slice")) calibration.slice = parse_calibrator(*slice);
  if (const auto lesion = node.find("lesion")) calibration.lesion = parse_calibrator(*lesion);
  return calibration;
}

}  // namespace ichdet
