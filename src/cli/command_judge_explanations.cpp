#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "commands.hpp"
#include "ichdet/core/error.hpp"
#include "ichdet/io/png.hpp"
#include "ichdet/report/explanation_figures.hpp"
#include "ichdet/train/judge.hpp"
#include "ichdet/train/judge_explanations.hpp"
#include "judged_picture.hpp"
#include "mask_classes.hpp"
#include "options.hpp"
#include "output_file.hpp"

namespace ichdet::cli {
namespace {

namespace fs = std::filesystem;

struct JudgeExplanationsArguments {
  std::string model, manifest, split, out;
  std::vector<std::string> methods{"grad-cam", "grad-cam++", "eigen-cam", "gradients", "integrated-gradients", "xrai"};
  std::vector<std::string> mask_classes;
  double threshold = -1;
  bool pictures = false;
  train::ExplanationJudgeOptions options;
  train::PreparationOptions reading;
  evaluate::BootstrapOptions bootstrap;
  int threads = 0;
};

nlohmann::ordered_json json_of(const train::JudgedExplanations& judged) {
  auto bundles = nlohmann::ordered_json::array();
  for (const auto& bundle : judged.bundles) {
    bundles.push_back({{"name", bundle.name}, {"version", bundle.version}, {"sha256", bundle.sha256}});
  }
  return {{"schema", 1},
          {"bundles", bundles},
          {"target", judged.target},
          {"studies", judged.studies},
          {"slices", judged.slices},
          {"mean_probability_blurred", judged.blurred},
          {"mean_probability_blank", judged.blank},
          {"methods", to_json(judged.figures)}};
}

std::string text_of(const train::JudgedExplanations& judged) {
  char ends[160];
  std::snprintf(ends, sizeof ends, "The model gives these slices %.3f on average when blurred, %.3f when blank.\n\n",
                judged.blurred, judged.blank);
  return std::to_string(judged.slices) + " slices of " + std::to_string(judged.studies) +
         " studies, explained: " + judged.target + ". " + ends + markdown(judged.figures);
}

void write(const fs::path& file, const std::string& text) {
  OutputFile out("--out", file.string());
  out.write(text);
}

void judge_explanations(const JudgeExplanationsArguments& a, const Context& context) {
  auto options = a.options;
  for (const auto& name : a.methods) options.methods.push_back(attribution::parse_attribution_method(name));
  if (a.threshold >= 0) options.threshold = a.threshold;
  options.explain.network.threads = a.threads;
  auto reading = a.reading;
  reading.mask_classes = mask_classes(a.mask_classes);
  const auto dataset = train::judged_studies(a.manifest, a.split);
  const fs::path folder = a.out;
  if (!a.out.empty()) check_writable(a.pictures ? folder / "pictures" : folder);
  const auto picture = [&](const train::JudgedSlice& slice) {
    io::write_png(folder / "pictures" / (slice.study + "_" + std::to_string(slice.slice) + ".png"),
                  judged_picture(slice));
  };
  const auto judged =
      train::judge_explanations(open_classifiers({a.model}), dataset, options, reading, a.bootstrap, context.progress,
                                a.pictures && !a.out.empty() ? std::function<void(const train::JudgedSlice&)>(picture)
                                                             : std::function<void(const train::JudgedSlice&)>());
  tell(judged.notes, context);
  const auto json = json_of(judged).dump(2) + "\n";
  if (!a.out.empty()) {
    write(folder / "explanations.json", json);
    write(folder / "explanations.csv", csv(judged.outcomes));
    write(folder / "explanations.md", text_of(judged));
    io::write_png(folder / "explanations.png", plot(judged.figures));
  }
  if (context.json) {
    std::fputs(json.c_str(), stdout);
  } else if (!context.quiet) {
    std::fputs(text_of(judged).c_str(), stdout);
  }
}

}  // namespace

void add_judge_explanations(CLI::App& app, Context& context) {
  const auto arguments = std::make_shared<JudgeExplanationsArguments>();
  auto& a = *arguments;
  auto& o = a.options;
  auto* command = app.add_subcommand("judge-explanations",
                                     "Which method of `ichdet explain` to trust on a model: maps against masks");
  command->footer(
      "Explains slices with blood that the model finds, compares every method's map with the\n"
      "reference mask, and asks the model while the important pixels come and go\n"
      "(docs/attribution.md). Intervals are bootstraps of patients.");
  command->add_option("MODEL", a.model, "A slice classifier's bundle, or an ensemble with one")->required();
  command->add_option("MANIFEST", a.manifest, "CSV of studies with masks")->required();
  command->add_option("--methods", a.methods, "As of `ichdet explain`, separated by commas")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->capture_default_str();
  command->add_option("--split", a.split, "The studies of this split alone");
  command->add_option("--slices", o.slices, "Of each patient, spread over those that count; 0: all")
      ->check(number_from(0, 1e6, "a number from 0 on"))
      ->capture_default_str();
  command->add_option("--threshold", a.threshold, "A slice counts from this probability on; the bundle's own if unset")
      ->check(number_from(0, 1, "a number from 0 to 1"));
  command->add_option("--tolerance-mm", o.tolerance_mm, "How near to the mask a map's maximum may lie")
      ->check(zero_or_more())
      ->capture_default_str();
  command->add_option("--steps", o.steps, "Of insertion and deletion")
      ->check(number_from(1, 1e6, "a number from 1 on"))
      ->capture_default_str();
  command->add_option("--path-steps", o.explain.path.steps, "Of integrated gradients and XRAI")
      ->check(number_from(2, 1e6, "a number from 2 on"))
      ->capture_default_str();
  command->add_flag("!--no-curves", o.curves, "Leave insertion, deletion and information out: the model is asked less");
  command->add_flag("!--no-random-weights", o.random_weights, "Leave the network with random weights out");
  command->add_option("--mask-class", a.mask_classes, "VALUE=CLASS: 1 for blood, 0 for none, of a value of all masks")
      ->allow_extra_args(false);
  command->add_option("--resamples", a.bootstrap.resamples, "Of the bootstrap, which draws patients")
      ->check(number_from(1, 1e6, "a number from 1 to 1000000"))
      ->capture_default_str();
  command->add_option("--out", a.out, "Folder for explanations.json, .csv, .md and .png");
  command->add_flag("--pictures", a.pictures, "Every slice's maps too, in OUT/pictures");
  add_threads(*command, a.threads);
  add_output_flags(*command, context, "Print the figures as JSON");
  command->callback([arguments, &context] { judge_explanations(*arguments, context); });
}

}  // namespace ichdet::cli
