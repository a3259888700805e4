#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "commands.hpp"
#include "ichdet/core/error.hpp"
#include "ichdet/evaluate/figures.hpp"
#include "ichdet/report/figures.hpp"
#include "ichdet/train/judge.hpp"
#include "mask_classes.hpp"
#include "options.hpp"
#include "output_file.hpp"

namespace ichdet::cli {
namespace {

struct JudgeArguments {
  std::string model, manifest, split, out, reference;
  std::vector<std::string> mask_classes;
  train::PreparationOptions reading;
  evaluate::FiguresOptions figures;
  int threads = 0;
};

void judge(const JudgeArguments& a, const Context& context) {
  refuse_same_file("--out", a.out, {a.manifest, a.reference});
  refuse_same_file("--reference", a.reference, {a.manifest});
  const auto dataset = train::judged_studies(a.manifest, a.split);
  auto reading = a.reading;
  reading.mask_classes = mask_classes(a.mask_classes);
  OutputFile out("--out", a.out), reference("--reference", a.reference);
  const auto model = train::open_model(a.model, a.threads);
  const auto judged = train::judge(model, dataset, reading, context.progress);
  tell(judged.notes, context);
  const auto figures = evaluate::figures(judged.outcomes, a.figures);
  const auto json = to_json(figures).dump(2) + "\n";
  out.write(json);
  if (!a.reference.empty()) reference.write(train::to_json_text(judged.reference));
  if (context.json) {
    std::fputs(json.c_str(), stdout);
  } else if (!context.quiet) {
    std::fputs(markdown(figures).c_str(), stdout);
  }
}

}  // namespace

void add_judge(CLI::App& app, Context& context) {
  const auto arguments = std::make_shared<JudgeArguments>();
  auto& a = *arguments;
  auto* command =
      app.add_subcommand("judge", "What a model is worth on a manifest's studies: Dice, AUC, false lesions");
  command->footer(
      "Runs the model on every study and compares masks and slice labels with the manifest's\n"
      "(docs/training.md). Intervals are bootstraps of patients.");
  command
      ->add_option("MODEL", a.model,
                   "A name from `ichdet models list`, a bundle's or ensemble's folder, or an ensemble's YAML file")
      ->required();
  command->add_option("MANIFEST", a.manifest, "CSV of studies with masks or labels")->required();
  command->add_option("--split", a.split, "The studies of this split alone");
  command->add_option("--mask-class", a.mask_classes, "VALUE=CLASS: what a value of all masks is to the model")
      ->allow_extra_args(false);
  command->add_option("--threshold", a.figures.threshold, "A slice is positive from this probability on")
      ->check(number_from(0, 1, "a number from 0 to 1"))
      ->capture_default_str();
  command->add_option("--specificity", a.figures.specificity, "At which sensitivity is told too")
      ->check(number_from(0, 1, "a number from 0 to 1"))
      ->capture_default_str();
  command->add_option("--worst", a.figures.worst, "How many of the worst cases are listed")->capture_default_str();
  command->add_option("--resamples", a.figures.bootstrap.resamples, "Of the bootstrap, which draws patients")
      ->check(number_from(1, 1e6, "a number from 1 to 1000000"))
      ->capture_default_str();
  command
      ->add_option("--slice-thickness", a.reading.slice_thickness_mm, "Of single slices, in mm, instead of the files'")
      ->check(above_zero());
  command->add_option("--out", a.out, "Write the figures as JSON (what --json prints)");
  command->add_option("--reference", a.reference,
                      "Write the model's scores, as reference_scores.json of `ichdet monitor`");
  add_threads(*command, a.threads);
  add_output_flags(*command, context, "Print the figures as JSON");
  command->callback([arguments, &context] { judge(*arguments, context); });
}

}  // namespace ichdet::cli
