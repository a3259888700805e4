#pragma once

#include <array>
#include <cmath>
#include <string>

#include "ichdet/aggregate/review.hpp"
#include "ichdet/core/error.hpp"
#include "ichdet/evaluate/evaluation.hpp"
#include "ichdet/impl/evaluate/shared.hpp"

namespace ichdet::evaluate {

namespace detail {

/// One model's answers for one class, ready to be counted again and again.
struct Answers {
  const std::vector<double>* probabilities;
  Ranking ranking;
  std::vector<double> squared_errors;
  std::vector<std::vector<std::uint8_t>> cells;  ///< threshold, row: 2 * positive + called positive
};

ICHDET_INLINE Answers answers_of(Labels truth, const std::vector<double>& probabilities,
                                 const std::vector<double>& thresholds) {
  Answers answers{&probabilities, rank(truth, probabilities), {}, {}};
  for (std::size_t i = 0; i < truth.size(); ++i) {
    const double error = probabilities[i] - (truth[i] != 0);
    answers.squared_errors.push_back(error * error);
  }
  for (const double threshold : thresholds) {
    auto& cells = answers.cells.emplace_back();
    for (std::size_t i = 0; i < truth.size(); ++i) {
      cells.push_back(std::uint8_t(2 * (truth[i] != 0) + (probabilities[i] >= threshold)));
    }
  }
  return answers;
}

ICHDET_INLINE std::vector<Estimate> rates_of(const Confusion& counts) {
  std::vector<Estimate> rates;
  const auto add = [&](const char* name, const Proportion& p) {
    Estimate rate;
    rate.name = name;
    rate.value = p.value();
    rate.counts = p;
    rates.push_back(std::move(rate));
  };
  add("accuracy", counts.accuracy());
  add("sensitivity", counts.sensitivity());
  add("specificity", counts.specificity());
  add("ppv", counts.positive_predictive_value());
  add("npv", counts.negative_predictive_value());
  Estimate f1;
  f1.name = "f1";
  f1.value = counts.f1();
  rates.push_back(std::move(f1));
  return rates;
}

/// The statistics of one resample, in the order in which `ModelResult` and `PairResult` list them.
ICHDET_INLINE void resampled(const std::vector<Answers>& models, std::span<const std::uint32_t> multiplicity,
                             std::span<double> values) {
  std::vector<double> roc_areas;
  std::size_t at = 0;
  for (const auto& model : models) {
    const auto drawn = areas(model.ranking, multiplicity);
    roc_areas.push_back(drawn.roc_auc);
    double error = 0, rows = 0;
    for (std::size_t i = 0; i < multiplicity.size(); ++i) {
      rows += multiplicity[i];
      error += multiplicity[i] * model.squared_errors[i];
    }
    for (const double value : {drawn.roc_auc, drawn.average_precision, drawn.pr_auc, error / rows})
      values[at++] = value;
    for (const auto& cells : model.cells) {
      std::array<std::int64_t, 4> counts{};
      for (std::size_t i = 0; i < multiplicity.size(); ++i) counts[cells[i]] += multiplicity[i];
      const Confusion c{counts[3], counts[1], counts[0], counts[2]};
      for (const double value :
           {c.accuracy().value(), c.sensitivity().value(), c.specificity().value(),
            c.positive_predictive_value().value(), c.negative_predictive_value().value(), c.f1()}) {
        values[at++] = value;
      }
    }
  }
  for (std::size_t a = 0; a < models.size(); ++a) {
    for (std::size_t b = a + 1; b < models.size(); ++b) values[at++] = roc_areas[a] - roc_areas[b];
  }
}

ICHDET_INLINE ModelResult model_result(const Answers& answers, Labels truth, const EvaluationOptions& options) {
  const double confidence = options.bootstrap.confidence;
  ModelResult result;
  result.calibration = calibration(truth, *answers.probabilities, options.bins);
  result.roc = roc_curve(answers.ranking);
  result.pr = pr_curve(answers.ranking);
  const auto whole = areas(answers.ranking);
  const auto variance = delong(truth, {*answers.probabilities});
  result.positives = variance.positives;
  result.negatives = variance.negatives;
  const auto add_area = [&](const char* name, double value) {
    Estimate area;
    area.name = name;
    area.value = value;
    result.areas.push_back(std::move(area));
  };
  add_area("roc_auc", whole.roc_auc);
  result.areas.back().exact = delong_interval(whole.roc_auc, variance.covariance(0, 0), confidence);
  add_area("average_precision", whole.average_precision);
  add_area("pr_auc", whole.pr_auc);
  add_area("brier", result.calibration.brier);
  for (const double threshold : options.thresholds) {
    ThresholdResult at;
    at.threshold = threshold;
    at.counts = confusion_at(truth, *answers.probabilities, threshold);
    at.rates = rates_of(at.counts);
    for (auto& rate : at.rates) {
      if (rate.counts) rate.exact = clopper_pearson(*rate.counts, confidence);
    }
    result.thresholds.push_back(std::move(at));
  }
  return result;
}

ICHDET_INLINE PairResult pair_result(const Answers& a, const Answers& b, Labels truth,
                                     const EvaluationOptions& options) {
  PairResult result;
  result.delong = delong_test(truth, *a.probabilities, *b.probabilities, options.bootstrap.confidence);
  for (std::size_t t = 0; t < options.thresholds.size(); ++t) {
    std::vector<std::uint8_t> of_a, of_b;
    for (const auto cell : a.cells[t]) of_a.push_back(cell & 1U);
    for (const auto cell : b.cells[t]) of_b.push_back(cell & 1U);
    result.mcnemar.push_back(mcnemar(truth, of_a, of_b));
  }
  return result;
}

/// All models that know class `c`, and each pair of them.
ICHDET_INLINE void evaluate_class(const Cohort& cohort, std::size_t c, const EvaluationOptions& options,
                                  Evaluation& evaluation) {
  const Labels truth = cohort.truth[c];
  std::vector<Answers> answers;
  std::vector<std::string> names;
  for (const auto& model : cohort.models) {
    if (model.probabilities[c].empty()) continue;
    answers.push_back(answers_of(truth, model.probabilities[c], options.thresholds));
    names.push_back(model.name);
  }
  if (answers.empty()) {
    evaluation.notes.push_back("No model has probabilities of class \"" + cohort.classes[c] + "\".");
    return;
  }
  const std::size_t pairs = names.size() * (names.size() - 1) / 2;
  const std::size_t statistics = names.size() * (4 + 6 * options.thresholds.size()) + pairs;
  const auto intervals = bootstrap(
      cohort.patient_of_row, statistics,
      [&](auto multiplicity, auto values) { resampled(answers, multiplicity, values); }, options.bootstrap);
  auto next = intervals.begin();
  for (std::size_t m = 0; m < names.size(); ++m) {
    auto result = model_result(answers[m], truth, options);
    result.model = names[m];
    result.class_name = cohort.classes[c];
    for (const auto row : difficult_cases(truth, *answers[m].probabilities)) {
      result.difficult.push_back(cohort.ids[std::size_t(row)]);
    }
    for (auto& area : result.areas) area.bootstrap = *next++;
    for (auto& at : result.thresholds) {
      for (auto& rate : at.rates) rate.bootstrap = *next++;
    }
    evaluation.models.push_back(std::move(result));
  }
  for (std::size_t a = 0; a < names.size(); ++a) {
    for (std::size_t b = a + 1; b < names.size(); ++b) {
      auto result = pair_result(answers[a], answers[b], truth, options);
      result.class_name = cohort.classes[c];
      result.a = names[a];
      result.b = names[b];
      result.difference = *next++;
      evaluation.pairs.push_back(std::move(result));
    }
  }
}

ICHDET_INLINE VolumeResult volume_result(const CohortModel& model, const std::vector<double>& truth_ml,
                                         double confidence) {
  VolumeResult result;
  result.model = model.name;
  for (std::size_t i = 0; i < truth_ml.size(); ++i) {
    if (std::isnan(truth_ml[i]) || std::isnan(model.volumes_ml[i])) {
      ++result.left_out;
      continue;
    }
    result.measured_ml.push_back(model.volumes_ml[i]);
    result.reference_ml.push_back(truth_ml[i]);
  }
  result.agreement = bland_altman(result.measured_ml, result.reference_ml, confidence);
  return result;
}

}  // namespace detail

ICHDET_INLINE Evaluation evaluate_cohort(const Cohort& cohort, const EvaluationOptions& options) {
  for (const double threshold : options.thresholds) {
    if (!std::isfinite(threshold)) {
      throw Error::mismatch(ErrorCode::options, "thresholds", "finite numbers", std::to_string(threshold));
    }
  }
  Evaluation evaluation;
  evaluation.unit = cohort.unit;
  evaluation.rows = cohort.rows();
  evaluation.patients = cohort.patients;
  evaluation.only_in_predictions = cohort.only_in_predictions;
  evaluation.only_in_truth = cohort.only_in_truth;
  evaluation.options = options;
  evaluation.notes = cohort.notes;
  if (cohort.patients < cohort.rows()) {
    evaluation.notes.emplace_back(
        "Patients have several rows: Clopper-Pearson's and DeLong's intervals and the tests take rows as independent "
        "and "
        "are too sure of themselves; the bootstrap, which draws patients, is not.");
  }
  for (std::size_t c = 0; c < cohort.classes.size(); ++c) {
    const auto& progress = options.bootstrap.progress;
    const auto classes = double(cohort.classes.size());
    progress("evaluating", double(c) / classes);
    auto of_class = options;
    if (progress.report) {
      of_class.bootstrap.progress.report = [&](std::string_view, double fraction) {
        progress.report("evaluating", (double(c) + fraction) / classes);
      };
    }
    detail::evaluate_class(cohort, c, of_class, evaluation);
  }
  options.bootstrap.progress("evaluating", 1);
  for (const auto& model : cohort.models) {
    if (model.volumes_ml.empty()) continue;
    if (cohort.truth_volumes_ml.empty()) {
      evaluation.notes.push_back("Model \"" + model.name +
                                 "\" has volumes, the truth has none (column \"volume_ml\").");
      continue;
    }
    evaluation.volumes.push_back(detail::volume_result(model, cohort.truth_volumes_ml, options.bootstrap.confidence));
  }
  return evaluation;
}

}  // namespace ichdet::evaluate
