#include <ATen/Context.h>
#include <ATen/Parallel.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <iterator>
#include <map>
#include <memory>
#include <set>

#include "commands.hpp"
#include "ichdet/bundle/recipe.hpp"
#include "ichdet/nn/device.hpp"
#include "ichdet/train/examples.hpp"
#include "ichdet/train/manifest.hpp"
#include "ichdet/train/prepared.hpp"
#include "ichdet/train/rsna.hpp"
#include "ichdet/train/split.hpp"
#include "ichdet/train/train.hpp"
#include "ichdet/train/training_spec.hpp"
#include "mask_classes.hpp"
#include "options.hpp"

namespace ichdet::cli {

namespace {

namespace fs = std::filesystem;

struct TrainArguments {
  std::string recipe;
  std::vector<std::string> manifests, rsna, mask_classes;
  std::vector<std::filesystem::path> splits;
  int threads = 0;
  train::PreparationOptions preparation;
  train::TrainOptions train;
};

/// The data sets that were named, with their splits.
std::vector<train::Dataset> read_data(const TrainArguments& arguments, const std::vector<std::string>& labels,
                                      const train::TrainingSpec& training, const Progress& progress) {
  std::vector<train::Dataset> sets;
  for (const auto& csv : arguments.manifests) sets.push_back(train::read_manifest(csv, labels));
  for (const auto& folder : arguments.rsna) {
    sets.push_back(train::read_rsna(fs::path(folder) / "stage_2_train.csv", fs::path(folder) / "stage_2_train", labels,
                                    arguments.threads, progress));
  }
  if (sets.empty()) throw Error(ErrorCode::options, "data: expected --data or --rsna");
  std::map<std::string, std::string> by_patient;
  for (const auto& file : arguments.splits) {
    for (const auto& [patient, split] : train::read_split(file)) {
      const auto [place, is_new] = by_patient.emplace(patient, split);
      if (is_new || place->second == split) continue;
      throw Error::mismatch(ErrorCode::options, file.string() + ": split of patient " + patient,
                            place->second + ", as in another --split", split);
    }
  }
  // All at once, so that a patient of two data sets is on one side.
  std::vector<train::StudyEntry> all;
  for (auto& set : sets) std::ranges::move(set.studies, std::back_inserter(all));
  if (by_patient.empty()) {
    train::assign_splits(all, training.split, training.seed);
  } else {
    train::assign_splits(all, by_patient);
  }
  auto next = all.begin();
  for (auto& set : sets) {
    for (auto& study : set.studies) study = std::move(*next++);
  }
  return sets;
}

/// "rsna_plain: 123 studies (train 68, select 15, proof 40)"
std::string in_words(const std::vector<train::Dataset>& sets) {
  std::string words;
  for (const auto& set : sets) {
    std::map<std::string, int> counts;
    for (const auto& study : set.studies) ++counts[study.split];
    std::string parts;
    for (const auto& [split, count] : counts) {
      parts += (parts.empty() ? "" : ", ") + split + " " + std::to_string(count);
    }
    words +=
        (words.empty() ? "" : "; ") + set.name + ": " + std::to_string(set.studies.size()) + " studies (" + parts + ")";
  }
  return words;
}

void print_result(const train::TrainResult& result, const fs::path& folder) {
  std::printf("Step %lld after %.1f h", static_cast<long long>(result.fit.step), result.fit.seconds / 3600);
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
  const auto model = train::data_model(recipe, arguments.train.members);
  const auto training = train::parse_training(recipe.training, model, arguments.recipe);
  auto& preparation = arguments.preparation;
  preparation.mask_classes = mask_classes(arguments.mask_classes);
  preparation.threads = arguments.threads;
  preparation.anatomy = training.painted > 0 || training.distracted > 0;
  if (arguments.threads > 0) at::set_num_threads(arguments.threads);

  const auto sets = read_data(arguments, train::label_names(model), training, context.progress);
  const std::set<std::string> wanted{"train", training.validation_split};
  std::vector<train::TrainingStudy> studies;
  std::vector<train::StudyEntry> all;
  for (auto set : sets) {
    if (!context.quiet) {
      for (const auto& note : set.notes) std::fprintf(stderr, "%s: %s\n", set.name.c_str(), note.c_str());
    }
    all.insert(all.end(), set.studies.begin(), set.studies.end());
    std::erase_if(set.studies, [&](const auto& study) { return !wanted.contains(study.split); });
    for (auto& study : train::prepare_studies(set, model, preparation, context.progress)) {
      studies.push_back(std::move(study));
    }
  }
  arguments.train.data_hash = train::split_hash(all);
  if (arguments.train.data_words.empty()) arguments.train.data_words = in_words(sets);
  const auto result = train::train(recipe, studies, arguments.train, context.progress);
  if (!context.quiet) print_result(result, arguments.train.folder);
}

}  // namespace

void add_train(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand(
      "train", "Train a recipe's network on your own scans; stop it when you like, the same command goes on");
  auto arguments = std::make_shared<TrainArguments>();
  auto& a = *arguments;
  command->add_option("RECIPE", a.recipe, "A recipe's name (see `ichdet models recipes`) or its YAML file")->required();
  command->add_option(
      "--data", a.manifests,
      "CSV manifest: study, scan, and where known patient, slice, mask, split, labels; may be repeated");
  command->add_option("--rsna", a.rsna, "Folder with RSNA 2019's stage_2_train.csv and stage_2_train/");
  command->add_option("--split", a.splits, "CSV of study, patient, split; otherwise the data's own, or the recipe's")
      ->check(CLI::ExistingFile);
  command->add_option("--mask-class", a.mask_classes,
                      "FILE=MODEL: what a mask's value means to the model, such as 2=0; may be repeated");
  command->add_option("-o,--out", a.train.folder, "Folder for state, log, curves and the bundle")->required();
  command->add_option("--cache", a.preparation.cache, "Folder for prepared studies, used again by later trainings");
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
  command->add_option("--device", a.train.device, "cpu, or cuda where LibTorch was built with it")->capture_default_str();
  command->add_flag("-q,--quiet", context.quiet, "Print nothing but errors");
  command->callback([arguments, &context] {
    arguments->train.command = context.command_line;
    train_command(*arguments, context);
  });
}

}  // namespace ichdet::cli
