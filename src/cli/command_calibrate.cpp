#include <CLI/CLI.hpp>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "commands.hpp"
#include "ichdet/bundle/cache.hpp"
#include "ichdet/bundle/calibration.hpp"
#include "ichdet/bundle/store_calibration.hpp"
#include "ichdet/core/error.hpp"
#include "ichdet/core/version.hpp"
#include "ichdet/evaluate/calibration.hpp"
#include "ichdet/evaluate/cohort.hpp"
#include "ichdet/evaluate/evaluation.hpp"
#include "ichdet/evaluate/threshold_choice.hpp"
#include "ichdet/report/evaluation.hpp"
#include "options.hpp"
#include "output_file.hpp"
#include "result_folders.hpp"
#include "stack_slices.hpp"
#include "unmatched.hpp"

namespace ichdet::cli {
namespace {

namespace fs = std::filesystem;

constexpr int folds = 5;

struct CalibrateArguments {
  std::string predictions, truth, bundle, ensemble, out, html, method = "platt", target = "study";
  std::optional<double> sensitivity;
  std::vector<double> cost;
  bool youden = false, stack = false;
  double fade_below = 0.5;
  evaluate::CohortOptions cohort;
};

/// The one model and class that are asked about.
struct Cases {
  std::string model, unit;
  std::vector<double> probabilities;
  std::vector<std::uint8_t> truth;
};

Cases cases_of(const evaluate::Cohort& cohort) {
  const auto one = [](const char* option, const auto& names) {
    if (names.size() == 1) return;
    throw Error::mismatch(ErrorCode::options, std::string("calibrate: ") + option, "one of those in the files",
                          std::to_string(names.size()) + " of them");
  };
  one("--model", cohort.models);
  one("--class", cohort.classes);
  const auto& model = cohort.models.front();
  return {model.name, cohort.unit, model.probabilities.front(), cohort.truth.front()};
}

ensemble::Calibrator fit_without(int fold, ensemble::CalibrationMethod method, const std::vector<double>& probabilities,
                                 const std::vector<std::uint8_t>& truth) {
  try {
    return ensemble::fit_calibrator(method, probabilities, truth);
  } catch (const Error& e) {
    throw Error(e.code(), "calibrate: without fold " + std::to_string(fold + 1) + " of " + std::to_string(folds) +
                              " (patients in turn): " + e.what());
  }
}

/// Each case calibrated by what was fitted on other patients. Throws where a fold has no fit.
std::vector<double> out_of_fold(const evaluate::Cohort& cohort, const Cases& cases,
                                ensemble::CalibrationMethod method) {
  std::vector<double> calibrated(cases.truth.size());
  for (int fold = 0; fold < folds; ++fold) {
    const auto inside = [&](std::size_t i) { return cohort.patient_of_row[i] % folds == fold; };
    std::vector<double> probabilities;
    std::vector<std::uint8_t> truth;
    for (std::size_t i = 0; i < calibrated.size(); ++i) {
      if (inside(i)) continue;
      probabilities.push_back(cases.probabilities[i]);
      truth.push_back(cases.truth[i]);
    }
    const auto fitted = fit_without(fold, method, probabilities, truth);
    for (std::size_t i = 0; i < calibrated.size(); ++i) {
      if (inside(i)) calibrated[i] = fitted(cases.probabilities[i]);
    }
  }
  return calibrated;
}

/// What needs no file to be read.
void check_arguments(const CalibrateArguments& a) {
  const auto refuse = [](const std::string& what) { throw Error(ErrorCode::options, "calibrate: " + what); };
  const int choices = int(a.youden) + int(a.sensitivity.has_value()) + int(!a.cost.empty());
  if (choices > 1) refuse("expected one of --youden, --sensitivity and --cost");
  if (choices > 0 && a.target != "study")
    refuse("a threshold is a study's: expected --target study, found " + a.target);
  const bool source = !a.bundle.empty() || !a.ensemble.empty();
  if (!a.out.empty() && !source) refuse("--out: expected --bundle or --ensemble to copy");
  if (a.out.empty() && source) refuse("--bundle and --ensemble: expected --out, the copy that gets the calibration");
  refuse_same_file("--out", a.out, {a.predictions, a.truth, a.ensemble, a.bundle});
  refuse_same_file("--html", a.html, {a.predictions, a.truth, a.ensemble, a.out});
  if (!a.out.empty()) check_new_place(a.out);
}

/// A lesion's row has an id of its own as its study.
void check_target(const std::string& target, const evaluate::Cohort& cohort) {
  const bool slices = cohort.unit == "slice";
  if (slices == (target == "slice")) return;
  throw Error::mismatch(ErrorCode::options, "calibrate: --target",
                        slices ? "slice, as the files have a row for each slice"
                               : "study or lesion, as the files have a row for each " + cohort.unit,
                        target);
}

/// On the calibrated scale.
std::optional<evaluate::ThresholdChoice> choose(const CalibrateArguments& a, const Cases& cases,
                                                const ensemble::Calibrator& calibrator) {
  if (!a.youden && !a.sensitivity && a.cost.empty()) return std::nullopt;
  std::vector<double> calibrated;
  for (const double p : cases.probabilities) calibrated.push_back(calibrator(p));
  const auto ranking = evaluate::rank(cases.truth, calibrated);
  if (a.youden) return evaluate::threshold_by_youden(ranking);
  if (a.sensitivity) return evaluate::threshold_for_sensitivity(ranking, *a.sensitivity);
  return evaluate::threshold_by_cost(ranking, a.cost[0], a.cost[1]);
}

void store(const CalibrateArguments& a, const ensemble::Calibration& calibration, std::optional<double> threshold) {
  if (a.out.empty()) return;
  if (!a.ensemble.empty()) return copy_calibrated_ensemble(a.ensemble, a.out, calibration, threshold);
  copy_calibrated_bundle(resolve_bundle(a.bundle), a.out, calibration, threshold);
}

/// With the reliability before and after: the threshold is the calibrated scale's, so the raw row has none.
void write_page(OutputFile& html, const CalibrateArguments& a, evaluate::Cohort cohort, const Cases& cases,
                const std::vector<double>& calibrated, const std::optional<evaluate::ThresholdChoice>& choice,
                const Progress& progress) {
  cohort.models.insert(cohort.models.begin(), {cases.model + ", calibrated", {calibrated}, {}});
  cohort.notes.push_back("\"calibrated\": each case by what was fitted on the other patients, in " +
                         std::to_string(folds) + " folds; what is stored was fitted on all of them.");
  evaluate::EvaluationOptions options;
  options.bootstrap.progress = progress;
  if (choice) options.thresholds = {choice->threshold};
  auto evaluation = evaluate::evaluate_cohort(cohort, options);
  evaluation.models[1].thresholds.clear();
  for (auto& pair : evaluation.pairs) pair.mcnemar.clear();
  html.write(html_page(evaluation, {"Calibration", fs::path(a.predictions).filename().string(),
                                    fs::path(a.truth).filename().string(), "ichdet " + std::string(version)}));
}

void calibrate(const CalibrateArguments& a, const Context& context) {
  if (a.stack) return stack_slices({a.predictions, a.truth, a.ensemble, a.out, a.fade_below, a.cohort}, context);
  check_arguments(a);
  const auto cohort =
      evaluate::join_cohort(read_predictions(a.predictions, a.target), evaluate::read_csv(a.truth), a.cohort);
  check_target(a.target, cohort);
  tell_unmatched(cohort, context);
  const auto cases = cases_of(cohort);
  const auto method = ensemble::parse_calibration_method(a.method);
  auto calibrator = ensemble::fit_calibrator(method, cases.probabilities, cases.truth);
  calibrator.fitted_on = fs::path(a.predictions).filename().string() + ", " + std::to_string(cases.truth.size()) +
                         " cases, each a " + (a.target == "lesion" ? a.target : cases.unit);
  const auto choice = choose(a, cases, calibrator);
  ensemble::Calibration calibration;
  (a.target == "study" ? calibration.study : a.target == "slice" ? calibration.slice : calibration.lesion) = calibrator;

  const auto calibrated = out_of_fold(cohort, cases, method);
  const auto before = evaluate::calibration(cases.truth, cases.probabilities);
  const auto after = evaluate::calibration(cases.truth, calibrated);

  OutputFile html("--html", a.html);
  store(a, calibration, choice ? std::optional(choice->threshold) : std::nullopt);
  if (!a.html.empty()) write_page(html, a, cohort, cases, calibrated, choice, context.progress);
  if (context.json) {
    nlohmann::json made{{"calibration", to_json(calibration)},
                        {"cases", cases.truth.size()},
                        {"expected_error", {{"raw", before.expected_error}, {"calibrated", after.expected_error}}},
                        {"brier", {{"raw", before.brier}, {"calibrated", after.brier}}}};
    if (choice) {
      made["threshold"] = {{"study", choice->threshold},
                           {"sensitivity", choice->counts.sensitivity().value()},
                           {"specificity", choice->counts.specificity().value()}};
    }
    std::printf("%s\n", made.dump(2).c_str());
  } else if (!context.quiet) {
    std::printf("%s: %s\n", a.target.c_str(), to_json(calibration)[a.target].dump().c_str());
    std::printf("  expected calibration error %.3f, %.3f after (%d folds by patient); Brier %.3f, %.3f after\n",
                before.expected_error, after.expected_error, folds, before.brier, after.brier);
    if (choice) {
      std::printf("  threshold %.4f: sensitivity %.3f, specificity %.3f on these cases\n", choice->threshold,
                  choice->counts.sensitivity().value(), choice->counts.specificity().value());
    }
    if (!a.out.empty()) std::printf("Written to %s\n", a.out.c_str());
  }
}

}  // namespace

void add_calibrate(CLI::App& app, Context& context) {
  const auto arguments = std::make_shared<CalibrateArguments>();
  auto& a = *arguments;
  auto* command = app.add_subcommand("calibrate", "Fit probabilities to observed frequencies, and choose a threshold");
  command->footer("Both files are as `ichdet evaluate` reads them, of cases that the model did not learn from.");
  command
      ->add_option("PREDICTIONS", a.predictions,
                   "CSV file of raw probabilities, or a folder of results of `ichdet detect`")
      ->required();
  command->add_option("TRUTH", a.truth, "CSV file of labels")->required();
  auto* method = command->add_option("--method", a.method, "temperature, platt or isotonic")
                     ->check(CLI::IsMember({"temperature", "platt", "isotonic"}))
                     ->capture_default_str();
  auto* target = command->add_option("--target", a.target, "What a case is: a study, a slice or a lesion")
                     ->check(CLI::IsMember({"study", "slice", "lesion"}))
                     ->capture_default_str();
  auto* stack =
      command->add_flag("--stack", a.stack, "Instead: fit how an ensemble tells slices with blood from others");
  command->add_option("--fade-below", a.fade_below, "--stack: outlines fade on slices less likely than this")
      ->needs(stack)
      ->check(number_from(0, 1, "0 to 1"))
      ->capture_default_str();
  auto* model =
      command->add_option("--model", a.cohort.models, "Which model, where PREDICTIONS has several")->expected(1);
  command->add_option("--class", a.cohort.classes, "Which class, where TRUTH has several")->expected(1);
  auto* youden =
      command->add_flag("--youden", a.youden, "Choose the threshold with the highest sensitivity + specificity");
  auto* sensitivity =
      command->add_option("--sensitivity", a.sensitivity, "Choose the best threshold of at least this sensitivity")
          ->check(number_from(1e-6, 1, "a number above 0, at most 1"));
  auto* cost =
      command->add_option("--cost", a.cost, "Choose the cheapest threshold: what a miss and what a false alarm costs")
          ->expected(2)
          ->check(above_zero());
  auto* bundle = command->add_option("-b,--bundle", a.bundle, "A bundle that gets the calibration");
  command->add_option("--ensemble", a.ensemble, "Or an ensemble's YAML file")->excludes(bundle);
  command->add_option("-o,--out", a.out, "The bundle's copy (a new folder), or the ensemble's (a file)");
  auto* html = command->add_option("--html", a.html, "Write a page with reliability diagrams, raw and calibrated");
  for (auto* other : {method, target, model, youden, sensitivity, cost, bundle, html}) stack->excludes(other);
  add_output_flags(*command, context, "Print what was fitted as JSON");
  command->callback([arguments, &context] { calibrate(*arguments, context); });
}

}  // namespace ichdet::cli
