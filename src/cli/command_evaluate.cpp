#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "commands.hpp"
#include "ichdet/core/error.hpp"
#include "ichdet/core/version.hpp"
#include "ichdet/evaluate/cohort.hpp"
#include "ichdet/evaluate/evaluation.hpp"
#include "ichdet/report/evaluation.hpp"
#include "options.hpp"
#include "output_file.hpp"

namespace ichdet::cli {
namespace {

struct EvaluateArguments {
  std::string predictions, truth, html, out;
  evaluate::CohortOptions cohort;
  evaluate::EvaluationOptions options;
};

void evaluate_files(const EvaluateArguments& a, const Context& context) {
  refuse_same_file("--out", a.out, {a.predictions, a.truth});
  refuse_same_file("--html", a.html, {a.predictions, a.truth, a.out});
  const auto cohort = evaluate::join_cohort(evaluate::read_csv(a.predictions), evaluate::read_csv(a.truth), a.cohort);
  OutputFile html("--html", a.html), out("--out", a.out);
  auto options = a.options;
  options.bootstrap.progress = context.progress;
  const auto evaluation = evaluate::evaluate_cohort(cohort, options);
  const auto json = to_json(evaluation).dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  const auto name = [](const std::string& path) { return std::filesystem::path(path).filename().string(); };
  out.write(json);
  if (!a.html.empty()) {
    html.write(html_page(evaluation,
                         {"Evaluation", name(a.predictions), name(a.truth), "ichdet " + std::string(ichdet::version)}));
  }
  if (context.json) {
    std::fputs(json.c_str(), stdout);
  } else if (!context.quiet) {
    std::fputs(summary(evaluation).c_str(), stdout);
  }
}

}  // namespace

void add_evaluate(CLI::App& app, Context& context) {
  const auto arguments = std::make_shared<EvaluateArguments>();
  auto& a = *arguments;
  auto& bootstrap = a.options.bootstrap;
  auto* command =
      app.add_subcommand("evaluate", "Predictions against the truth: rates, curves, intervals, tests, volumes");
  command->footer(
      "Both files are CSV with a header; rows are joined by their columns patient, study and slice (those that both\n"
      "have; patient or study is one).\n"
      "  TRUTH        further columns are classes, 0 or 1; volume_ml is the volume, empty where not measured\n"
      "  PREDICTIONS  further columns are probabilities from 0 to 1, named MODEL, or CLASS or MODEL:CLASS where the\n"
      "               truth has several classes; volume_ml or MODEL:volume_ml is a volume\n"
      "Several models are compared in pairs: DeLong's test of ROC areas, McNemar's of decisions.\n"
      "  predictions.csv  study,resnet,effclass        truth.csv  patient,study,hemorrhage\n"
      "                   1.2.3,0.91,0.88                         p1,1.2.3,1");
  command->add_option("PREDICTIONS", a.predictions, "CSV file of probabilities")->required();
  command->add_option("TRUTH", a.truth, "CSV file of labels")->required();
  command
      ->add_option("--threshold", a.options.thresholds, "Positive from this probability on; may be given several times")
      ->check(number_from(0, 1, "a number from 0 to 1"))
      ->allow_extra_args(false)  // what follows is PREDICTIONS
      ->capture_default_str();
  command->add_option("--model", a.cohort.models, "Evaluate this model alone; may be given several times")
      ->allow_extra_args(false);
  command->add_option("--class", a.cohort.classes, "Evaluate this class alone; may be given several times")
      ->allow_extra_args(false);
  command->add_option("--confidence", bootstrap.confidence, "Of all intervals")
      ->check(number_from(0.01, 0.9999, "a number from 0.01 to 0.9999"))
      ->capture_default_str();
  command->add_option("--resamples", bootstrap.resamples, "Of the bootstrap, which draws patients")
      ->check(number_from(1, 1e6, "a number from 1 to 1000000"))
      ->capture_default_str();
  command->add_option("--seed", bootstrap.seed, "Of the bootstrap; the same seed gives the same intervals")
      ->check(zero_or_more())
      ->capture_default_str();
  command->add_option("--bins", a.options.bins, "Of the reliability diagram")
      ->check(number_from(1, 1000, "a number from 1 to 1000"))
      ->capture_default_str();
  command->add_option("--html", a.html, "Write a page with tables and diagrams");
  command->add_option("--out", a.out, "Write the figures as JSON (what --json prints)");
  add_threads(*command, bootstrap.threads);
  add_output_flags(*command, context, "Print the figures as JSON");
  command->callback([arguments, &context] { evaluate_files(*arguments, context); });
}

}  // namespace ichdet::cli
