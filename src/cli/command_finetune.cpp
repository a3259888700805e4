#include <ATen/Parallel.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "commands.hpp"
#include "ichdet/bundle/bundle.hpp"
#include "ichdet/bundle/cache.hpp"
#include "ichdet/bundle/recipe.hpp"
#include "ichdet/core/error.hpp"
#include "ichdet/report/figures.hpp"
#include "ichdet/train/finetune.hpp"
#include "mask_classes.hpp"
#include "options.hpp"

namespace ichdet::cli {
namespace {

struct FineTuneArguments {
  std::string bundle, recipe;
  std::int64_t steps = 0;
  double learning_rate = 0;
  std::vector<std::string> mask_classes;
  train::FineTuneData data;
  train::FineTuneOptions options;
};

nlohmann::json training_section(const FineTuneArguments& a, const ModelSpec& model) {
  auto training = a.recipe.empty() ? train::finetune_training(model) : find_recipe(a.recipe).training;
  if (!training.is_object()) throw Error(ErrorCode::options, "--recipe " + a.recipe + ": has no section \"training\"");
  if (a.steps > 0) {
    training.erase("epochs");
    training["steps"] = a.steps;
  }
  if (a.learning_rate > 0) training["optimizer"]["learning_rate"] = a.learning_rate;
  return training;
}

void finetune(const FineTuneArguments& a, const Context& context) {
  auto options = a.options;
  options.mask_classes = mask_classes(a.mask_classes);
  const auto parent = resolve_bundle(a.bundle);
  options.training = training_section(a, open_bundle(parent).spec);
  check_writable(options.folder);
  if (options.threads > 0) at::set_num_threads(options.threads);
  const auto result = train::finetune(parent, a.data, options, context.progress);
  tell(result.notes, context);
  if (!result.choice) {
    if (!context.quiet) {
      std::printf("Stopped after %lld steps; the same command goes on.\n",
                  static_cast<long long>(result.training.fit.step));
    }
    return;
  }
  if (context.json) {
    std::printf("%s\n", to_json(*result.choice).dump(2).c_str());
  } else if (!context.quiet) {
    std::printf("%s\nNew version: %s\nIts best weights were chosen on %s.\n", markdown(*result.choice).c_str(),
                result.training.bundle.c_str(), result.selection.c_str());
  }
}

}  // namespace

void add_finetune(CLI::App& app, Context& context) {
  const auto arguments = std::make_shared<FineTuneArguments>();
  auto& a = *arguments;
  auto& o = a.options;
  auto* command =
      app.add_subcommand("finetune", "A new version of a bundle from corrected masks, compared with the old");
  command->footer(
      "CORRECTIONS holds a mask NAME_mask.nii.gz for each scan, which lies beside it as NAME.nii.gz or as the DICOM\n"
      "folder NAME; or is a manifest (docs/training.md). Both versions then answer the validation's studies, which\n"
      "must be of other patients; the new one is worth keeping where Dice, AUC, sensitivity and specificity say so.\n"
      "Killed or stopped, the same command goes on where it was.");
  command->add_option("BUNDLE", a.bundle, "The parent: a name from `ichdet models list`, or a bundle's folder")
      ->required();
  command->add_option("CORRECTIONS", a.data.corrections, "Folder or manifest of corrected scans")->required();
  command->add_option("-o,--out", o.folder, "Folder for the new bundle, the comparison and the log")->required();
  command->add_option("--validation", a.data.validation, "Manifest with the studies that both versions are judged on")
      ->required();
  command->add_option("--validation-split", o.validation_split, "Which of its studies")->capture_default_str();
  command->add_option("--selection-split", o.selection_split, "Those of it that the best weights are chosen on")
      ->capture_default_str();
  command->add_option("--replay", a.data.replay, "Manifest of what the parent learned from, to be learned from again");
  command->add_option("--replay-split", o.replay_split, "Which of its studies")->capture_default_str();
  command->add_option("--replay-share", o.replay_share, "Of all examples")
      ->check(number_from(0, 1, "a number from 0 to 1"))
      ->capture_default_str();
  command->add_option("--recipe", a.recipe, "Train as this recipe's section \"training\" says");
  command->add_option("--steps", a.steps, "In place of the 300, or of the recipe's")
      ->check(number_from(1, 1e9, "a whole number from 1"));
  command->add_option("--learning-rate", a.learning_rate, "In place of 0.0001, or of the recipe's")
      ->check(above_zero());
  command->add_option("--mask-class", a.mask_classes, "VALUE=CLASS: what a value of all masks is to the model")
      ->allow_extra_args(false);
  command->add_option("--threshold", o.choice.threshold, "A slice is positive from this probability on")
      ->check(number_from(0, 1, "a number from 0 to 1"))
      ->capture_default_str();
  command->add_option("--tolerance", o.choice.tolerance, "No figure of the new version may be lower by more than this")
      ->check(zero_or_more())
      ->capture_default_str();
  command->add_option("--resamples", o.choice.bootstrap.resamples, "Of the bootstrap, which draws patients")
      ->check(number_from(1, 1e6, "a number from 1 to 1000000"))
      ->capture_default_str();
  command->add_option("--cache", o.cache, "Folder of prepared studies");
  command->add_option("--minutes", o.minutes, "Of this sitting; 0: until the end")
      ->check(zero_or_more())
      ->capture_default_str();
  command->add_option("--workers", o.workers, "Threads that make examples")
      ->check(number_from(1, 256, "1 to 256"))
      ->capture_default_str();
  add_threads(*command, o.threads);
  add_output_flags(*command, context, "Print the comparison as JSON");
  command->callback([arguments, &context] {
    arguments->options.command = context.command_line;
    finetune(*arguments, context);
  });
}

}  // namespace ichdet::cli
