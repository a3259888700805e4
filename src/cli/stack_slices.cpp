#include "stack_slices.hpp"

#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "ichdet/bundle/ensemble_spec.hpp"
#include "ichdet/bundle/store_calibration.hpp"
#include "ichdet/core/error.hpp"
#include "ichdet/ensemble/slice_rule.hpp"
#include "ichdet/evaluate/calibration.hpp"
#include "ichdet/evaluate/curves.hpp"
#include "result_folders.hpp"
#include "unmatched.hpp"

namespace ichdet::cli {
namespace {

constexpr int folds = 5;

struct Slices {
  std::vector<double> evidence;  ///< slice, slice_evidence_names
  std::vector<std::uint8_t> truth;

  void add(const evaluate::Cohort& cohort, std::size_t row) {
    for (const auto& model : cohort.models) evidence.push_back(model.probabilities.front()[row]);
    truth.push_back(cohort.truth.front()[row]);
  }
};

ensemble::SliceEvidence evidence_of(const evaluate::Cohort& cohort, std::size_t row) {
  const auto value = [&](std::size_t model) { return cohort.models[model].probabilities.front()[row]; };
  return {value(0), value(1), value(2)};
}

/// Each slice by what was fitted on other patients.
std::vector<double> out_of_fold(const evaluate::Cohort& cohort) {
  const auto rows = std::size_t(cohort.rows());
  std::vector<double> said(rows);
  for (int fold = 0; fold < folds; ++fold) {
    const auto inside = [&](std::size_t i) { return cohort.patient_of_row[i] % folds == fold; };
    Slices others;
    for (std::size_t i = 0; i < rows; ++i) {
      if (!inside(i)) others.add(cohort, i);
    }
    const auto rule = ensemble::fit_slice_rule(others.evidence, others.truth);
    for (std::size_t i = 0; i < rows; ++i) {
      if (inside(i)) said[i] = rule(evidence_of(cohort, i));
    }
  }
  return said;
}

nlohmann::json quality(const std::vector<std::uint8_t>& truth, const std::vector<double>& probabilities) {
  const auto calibration = evaluate::calibration(truth, probabilities);
  return {{"roc_auc", evaluate::areas(evaluate::rank(truth, probabilities)).roc_auc},
          {"brier", calibration.brier},
          {"expected_error", calibration.expected_error}};
}

}  // namespace

void stack_slices(const StackArguments& a, const Context& context) {
  if (a.ensemble.empty() || a.out.empty()) {
    throw Error(ErrorCode::options, "calibrate: --stack: expected --ensemble and --out, the copy that gets the rule");
  }
  check_new_place(a.out);
  auto options = a.cohort;
  const auto& names = ensemble::slice_evidence_names;
  options.models = {names.begin(), names.end()};
  const auto cohort =
      evaluate::join_cohort(read_predictions(a.predictions, "slice"), evaluate::read_csv(a.truth), options);
  if (cohort.unit != "slice" || cohort.classes.size() != 1) {
    throw Error::mismatch(ErrorCode::options, "calibrate: --stack", "a row for each slice, and one class (--class)",
                          "one for each " + cohort.unit + ", " + std::to_string(cohort.classes.size()) + " classes");
  }
  Slices all;
  for (std::size_t i = 0; i < std::size_t(cohort.rows()); ++i) all.add(cohort, i);
  auto rule = ensemble::fit_slice_rule(all.evidence, all.truth);
  rule.fade_below = a.fade_below;
  rule.fitted_on = std::to_string(all.truth.size()) + " slices of " + std::to_string(cohort.patients) + " patients";

  const nlohmann::json made{{"slices", to_json(rule)},
                            {"map", quality(all.truth, cohort.models[0].probabilities.front())},
                            {"classifier", quality(all.truth, cohort.models[2].probabilities.front())},
                            {"stacked", quality(all.truth, out_of_fold(cohort))}};
  copy_stacked_ensemble(a.ensemble, a.out, rule);
  tell_unmatched(cohort, context);
  if (context.json) {
    std::printf("%s\n", made.dump(2).c_str());
  } else if (!context.quiet) {
    std::printf("slices: %s\n", made["slices"].dump().c_str());
    for (const char* key : {"map", "classifier", "stacked"}) {
      std::printf("  %-10s ROC AUC %.4f, Brier %.4f, calibration error %.4f%s\n", key,
                  made[key]["roc_auc"].get<double>(), made[key]["brier"].get<double>(),
                  made[key]["expected_error"].get<double>(),
                  made[key] == made["stacked"] ? " (each patient by what the others gave)" : "");
    }
    std::printf("Written to %s\n", a.out.c_str());
  }
}

}  // namespace ichdet::cli
