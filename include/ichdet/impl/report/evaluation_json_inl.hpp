#pragma once

#include "ichdet/impl/report/figures_json.hpp"
#include "ichdet/report/evaluation.hpp"

namespace ichdet {

namespace detail {

ICHDET_INLINE ordered_json to_json(const evaluate::ModelResult& model) {
  ordered_json thresholds = ordered_json::array();
  for (const auto& at : model.thresholds) {
    thresholds.push_back({{"threshold", at.threshold},
                          {"true_positives", at.counts.true_positives},
                          {"false_positives", at.counts.false_positives},
                          {"true_negatives", at.counts.true_negatives},
                          {"false_negatives", at.counts.false_negatives},
                          {"rates", to_json(at.rates)}});
  }
  return {{"model", model.model},         {"class", model.class_name},     {"positives", model.positives},
          {"negatives", model.negatives}, {"areas", to_json(model.areas)}, {"calibration", to_json(model.calibration)},
          {"thresholds", thresholds},     {"difficult", model.difficult}};
}

ICHDET_INLINE ordered_json to_json(const evaluate::PairResult& pair, const std::vector<double>& thresholds) {
  ordered_json tests = ordered_json::array();
  for (std::size_t t = 0; t < thresholds.size(); ++t) {
    ordered_json test{{"threshold", thresholds[t]}};
    test.update(to_json(pair.mcnemar[t]));
    tests.push_back(std::move(test));
  }
  return {{"class", pair.class_name},
          {"a", pair.a},
          {"b", pair.b},
          {"delong", to_json(pair.delong)},
          {"bootstrap", to_json(pair.difference)},
          {"mcnemar", tests}};
}

ICHDET_INLINE ordered_json to_json(const evaluate::VolumeResult& volume) {
  ordered_json json{{"model", volume.model}, {"cases", volume.agreement.cases}, {"left_out", volume.left_out}};
  json.update(differences_ml(volume.agreement));
  return json;
}

}  // namespace detail

ICHDET_INLINE nlohmann::ordered_json to_json(const evaluate::Evaluation& evaluation) {
  using nlohmann::ordered_json;
  const auto& bootstrap = evaluation.options.bootstrap;
  ordered_json json;
  json["schema"] = 1;
  json["unit"] = evaluation.unit;
  json["rows"] = evaluation.rows;
  json["patients"] = evaluation.patients;
  json["only_in_predictions"] = evaluation.only_in_predictions;
  json["only_in_truth"] = evaluation.only_in_truth;
  json["confidence"] = bootstrap.confidence;
  json["bootstrap"] = {{"resamples", bootstrap.resamples}, {"seed", bootstrap.seed}};
  json["models"] = ordered_json::array();
  for (const auto& model : evaluation.models) json["models"].push_back(detail::to_json(model));
  json["pairs"] = ordered_json::array();
  for (const auto& pair : evaluation.pairs) {
    json["pairs"].push_back(detail::to_json(pair, evaluation.options.thresholds));
  }
  json["volumes"] = ordered_json::array();
  for (const auto& volume : evaluation.volumes) json["volumes"].push_back(detail::to_json(volume));
  json["notes"] = evaluation.notes;
  return json;
}

}  // namespace ichdet
