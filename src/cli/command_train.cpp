#include <ATen/Context.h>
#include <ATen/Parallel.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "commands.hpp"
#include "ichdet/bundle/recipe.hpp"
#include "ichdet/nn/device.hpp"
#include "ichdet/train/calibrate_bundle.hpp"
#include "ichdet/train/data_sets.hpp"
#include "ichdet/train/train.hpp"
#include "mask_classes.hpp"
#include "options.hpp"

namespace ichdet::cli {

namespace {

namespace fs = std::filesystem;

struct TrainArguments {
  std::string recipe, fold;
  std::vector<std::string> mask_classes;
  int threads = 0;
  train::DataOptions data;
  train::TrainOptions train;
};

void print_result(const train::TrainResult& result, const fs::path& folder) {
  std::printf("Step %lld after %.1f h in %s", static_cast<long long>(result.fit.step), result.fit.seconds / 3600,
              result.fit.bfloat16 ? "bfloat16" : "float32");
  if (result.fit.best_step >= 0) std::printf("; best at step %lld:", static_cast<long long>(result.fit.best_step));
  for (const auto& [name, value] : result.fit.best.values) std::printf(" %s %.4f", name.c_str(), value);
  std::printf("\n");
  if (result.bundle.empty()) {
    std::printf("Not yet at its end: the same command goes on. Curves in %s\n", (folder / "curves.png").c_str());
  } else {
    std::printf("Bundle in %s, curves in %s\n", result.bundle.c_str(), (folder / "curves.png").c_str());
  }
}

void train_command(TrainArguments arguments, const Context& context) {
  if (find_device(arguments.train.device, "--device").is_cuda()) at::globalContext().setBenchmarkCuDNN(true);
  const auto recipe = find_recipe(arguments.recipe);
  auto& options = arguments.train;
  auto& preparation = arguments.data.preparation;
  preparation.mask_classes = mask_classes(arguments.mask_classes);
  preparation.threads = arguments.threads;
  if (!arguments.fold.empty()) arguments.data.fold = train::parse_fold(arguments.fold);
  check_writable(options.folder);
  if (arguments.threads > 0) at::set_num_threads(arguments.threads);
  const auto data = train::read_training_data(recipe, arguments.data, options.members, context.progress);
  tell(data.notes, context);
  options.split_hash = data.split_hash;
  if (options.data_words.empty()) options.data_words = data.words;
  const auto result = train::train(recipe, data.studies, options, context.progress);
  if (!context.quiet) print_result(result, options.folder);
  if (!result.made) return;
  const auto words = train::calibrate_bundle(result.bundle, data, arguments.threads, context.progress);
  if (!context.quiet) std::printf("%s\n", words.c_str());
}

}  // namespace

void add_train(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand(
      "train", "Train a recipe's network on your own scans; stop it when you like, the same command goes on");
  auto arguments = std::make_shared<TrainArguments>();
  auto& a = *arguments;
  command->add_option("RECIPE", a.recipe, "A recipe's name (see `ichdet models recipes`) or its YAML file")->required();
  command->add_option(
      "--data", a.data.manifests,
      "CSV manifest: study, scan, and where known patient, slice, mask, split, labels; may be repeated");
  command->add_option("--rsna", a.data.rsna, "Folder with RSNA 2019's stage_2_train.csv and stage_2_train/");
  command
      ->add_option("--split", a.data.splits, "CSV of study, patient, split; otherwise the data's own, or the recipe's")
      ->check(CLI::ExistingFile);
  command->add_option("--fold", a.fold,
                      "K/N: the K-th round of N-fold cross validation, by patients; what has a split of its own other "
                      "than train and the recipe's validate.split stays apart");
  command->add_option("--mask-class", a.mask_classes,
                      "VALUE=CLASS: what a value of all masks is to the model, such as 2=0; may be repeated");
  command->add_option("-o,--out", a.train.folder, "Folder for state, log, curves and the bundle")->required();
  command->add_option("--cache", a.data.preparation.cache,
                      "Folder for prepared studies, used again by later trainings");
  command->add_option("--initial", a.train.initial, "Weights to begin with: a bundle's folder or a file");
  command
      ->add_option("--member", a.train.members,
                   "Of a recipe that weighs maps: a bundle whose map it weighs; repeated, in the recipe's order")
      ->allow_extra_args(false);
  command->add_option("--minutes", a.train.minutes, "Of this sitting; 0: until the end")
      ->check(zero_or_more())
      ->capture_default_str();
  command->add_option("--workers", a.train.workers, "Threads that prepare examples ahead")
      ->check(number_from(0, 64, "0 to 64"))
      ->capture_default_str();
  command->add_option("--name", a.train.name, "Of the bundle; by default the recipe's");
  command->add_option("--licence", a.train.licence, "Of the weights, as SPDX expression");
  command->add_option("--licence-file", a.train.licence_file, "Its text")->check(CLI::ExistingFile);
  command->add_option("--training-data", a.train.data_words, "In words, for the bundle; by default names and counts");
  add_threads(*command, a.threads);
  command->add_option("--device", a.train.device, "cpu, or cuda where LibTorch was built with it")
      ->capture_default_str();
  command->add_flag("-q,--quiet", context.quiet, "Print nothing but errors");
  command->callback([arguments, &context] {
    arguments->train.command = context.command_line;
    train_command(*arguments, context);
  });
}

}  // namespace ichdet::cli
