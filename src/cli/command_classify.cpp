#include <CLI/CLI.hpp>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>

#include "commands.hpp"
#include "ichdet/bundle/shipped.hpp"
#include "ichdet/io/study.hpp"
#include "ichdet/pipeline/exam_classifier.hpp"
#include "ichdet/pipeline/open_detector.hpp"
#include "ichdet/pipeline/slice_classifier.hpp"
#include "ichdet/pipeline/write_classification.hpp"
#include "ichdet/report/json.hpp"
#include "ichdet/report/summary.hpp"
#include "options.hpp"

namespace ichdet::cli {
namespace {

constexpr const char* default_classifier = "s1";

struct ClassifyArguments {
  std::string input, out, precision = "auto", engine = "auto", method = "grad-cam", skull_strip = "classical";
  std::vector<std::string> bundles;
  std::optional<std::string> rule;
  std::optional<double> threshold, case_threshold, percent;
  std::optional<std::int64_t> top;
  bool all_slices = false, no_heat_maps = false, smooth = true;
  std::int64_t most_maps = 24;
  std::filesystem::path network_cache;
  io::StudyOptions study;
  ClassifierOptions classifier;
};

/// The bundle's rule with what the command line says otherwise.
CaseRule rule_of(const ClassifyArguments& arguments, const ModelSpec& model) {
  auto rule = model.rule;
  const bool exam = model.task == Task::exam_classification;
  const auto refuse = [&](const char* option, const std::string& why) {
    throw Error(ErrorCode::options, std::string(option) + ": " + why);
  };
  if (exam && (arguments.rule || arguments.percent || arguments.top || arguments.case_threshold)) {
    refuse("--rule", model.name + " reads the exam as a whole: of its decision only --threshold can be changed");
  }
  if (arguments.rule) rule.kind = parse_case_rule(*arguments.rule);
  if (rule.kind == CaseRuleKind::logistic && rule.logistic.weights.empty()) {
    refuse("--rule", "logistic is learned, and " + model.name + " brings no such rule");
  }
  if (arguments.threshold) (exam ? rule.case_threshold : rule.slice_threshold) = *arguments.threshold;
  if (arguments.percent) {
    if (rule.kind != CaseRuleKind::percent)
      refuse("--percent", "belongs to the rule percent, not " + to_string(rule.kind));
    rule.percent = *arguments.percent;
  }
  if (arguments.top) {
    if (rule.kind != CaseRuleKind::top_mean)
      refuse("--top", "belongs to the rule top-mean, not " + to_string(rule.kind));
    rule.top = *arguments.top;
  }
  if (arguments.case_threshold) {
    if (rule.kind == CaseRuleKind::percent) refuse("--case-threshold", "the rule percent has none: it counts slices");
    rule.case_threshold = *arguments.case_threshold;
  }
  return rule;
}

/// Of channels that show the brain alone.
SkullStripper skull_stripper(const ClassifyArguments& arguments) {
  SkullStripOptions options;
  options.engine = parse_strip_engine(arguments.skull_strip);
  options.threads = arguments.classifier.network.threads;
  return SkullStripper(std::move(options));
}

struct Classified {
  StudyResult result;
  std::vector<SliceMap> maps;
};

Classified classify_slices(const std::vector<Bundle>& members, const ClassifierOptions& options,
                           const attribution::CamOptions& cam, const ClassifyArguments& arguments,
                           const SliceStack& stack, const Progress& progress) {
  const SliceClassifier classifier(members, options);
  Classified done{classifier(stack, progress), {}};
  const auto shown = slices_to_show(done.result, arguments.most_maps);
  if (arguments.no_heat_maps) {
    for (const auto slice : shown) done.maps.push_back({slice, {}});
  } else {
    done.maps = classifier.heat_maps(stack, shown, cam, progress);
  }
  return done;
}

Classified classify_exam(const std::vector<Bundle>& members, const ClassifierOptions& options,
                         const attribution::CamOptions& cam, const ClassifyArguments& arguments,
                         const SliceStack& stack, const Progress& progress) {
  const ExamClassifier classifier(members, options);
  Classified done{classifier(stack, progress), {}};
  if (arguments.no_heat_maps) return done;
  for (auto& image : classifier.best_images(stack, std::min<std::int64_t>(6, arguments.most_maps), cam)) {
    char note[32];
    std::snprintf(note, sizeof note, "%.0f %% of evidence", 100 * image.share);
    done.maps.push_back({image.slice, std::move(image.map), note});
  }
  return done;
}

void classify(const ClassifyArguments& arguments, const Context& context) {
  if (arguments.bundles.empty() && !find_shipped(default_classifier)) {
    throw Error(ErrorCode::options, "classify: expected --bundle, as no bundle " + std::string(default_classifier) +
                                        " came with this ichdet");
  }
  const auto members =
      open_named(arguments.bundles.empty() ? std::vector<std::string>{default_classifier} : arguments.bundles);
  const auto& model = members.front().spec;
  if (model.task == Task::segmentation) require_task(model, Task::slice_classification);
  for (const auto& member : members) require_task(member.spec, model.task);
  auto options = arguments.classifier;
  options.network.precision = parse_precision(arguments.precision);
  options.network.engine = parse_engine(arguments.engine);
  options.network.cache_folder = arguments.network_cache;
  options.skip_empty = !arguments.all_slices;
  if (arguments.skull_strip != "classical") options.skull_strip = skull_stripper(arguments);
  const bool changed =
      arguments.rule || arguments.threshold || arguments.percent || arguments.top || arguments.case_threshold;
  if (changed) options.rule = rule_of(arguments, model);
  attribution::CamOptions cam;
  cam.method = attribution::parse_cam_method(arguments.method);
  const bool exam = model.task == Task::exam_classification;
  cam.aug_smooth = arguments.smooth && !exam;
  cam.eigen_smooth = arguments.smooth && !exam && cam.method != attribution::CamMethod::eigen_cam;

  const auto study = io::read_study(arguments.input, arguments.study, context.progress);
  check_writable(arguments.out);
  const auto run = exam ? classify_exam : classify_slices;
  const auto [result, maps] = run(members, options, cam, arguments, study.stack, context.progress);
  ClassificationOptions figure;
  figure.map_name = to_string(cam.method) + (cam.aug_smooth ? ", smoothed" : "");
  write_classification(study.stack, result, maps, arguments.out, figure);
  if (context.json) {
    std::cout << to_json_text(result);
  } else if (!context.quiet) {
    std::cout << summary(result) << "\nWritten to " << arguments.out << ": figure.png, result.json"
              << (result.slices.empty() ? "" : ", slices.csv") << "\n";
  }
}

}  // namespace

void add_classify(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand("classify", "Say whether a head CT shows blood, slice by slice or as a whole");
  auto arguments = std::make_shared<ClassifyArguments>();
  auto& a = *arguments;
  command->add_option("INPUT", a.input, "DICOM folder, one DICOM file, or NIfTI file (.nii, .nii.gz)")->required();
  command->add_option("-o,--out", a.out, "Folder for result.json, slices.csv and figure.png")->required();
  command->add_option(
      "-b,--bundle", a.bundles,
      "A classifier: a bundle's folder (see `ichdet models make`); several are averaged. By default S1, where "
      "it came with ichdet");
  command->add_option("--rule", a.rule, "From slices to the patient, in place of the bundle's rule")
      ->check(CLI::IsMember({"percent", "maximum", "noisy-or", "top-mean", "logistic"}));
  const auto probability = number_from(1e-6, 1 - 1e-6, "a number between 0 and 1");
  command->add_option("--threshold", a.threshold, "A slice is positive above it; of an exam classifier, the exam")
      ->check(probability);
  command->add_option("--percent", a.percent, "Rule percent: how many of all slices have to be positive")
      ->check(number_from(1e-6, 100, "above 0, at most 100"));
  command->add_option("--case-threshold", a.case_threshold, "Other rules: the patient is positive above it")
      ->check(probability);
  command->add_option("--top", a.top, "Rule top-mean: how many of the highest")
      ->check(number_from(1, 1000, "1 to 1000"));
  command->add_flag("--all-slices", a.all_slices, "Ask the network about slices without head too");
  command->add_flag("--no-heat-maps", a.no_heat_maps, "Show slices without where the network looked");
  command->add_option("--heat-map", a.method, "How that is found")
      ->check(CLI::IsMember({"grad-cam", "grad-cam++", "eigen-cam"}))
      ->capture_default_str();
  command->add_flag("--smooth,!--no-smooth", a.smooth,
                    "Smooth heat maps over mirrored and dimmed images and by their main component (as S1 does; slow)");
  command->add_option("--max-maps", a.most_maps, "At most so many slices in the figure")
      ->check(number_from(1, 1000, "1 to 1000"))
      ->capture_default_str();
  command
      ->add_option("--skull-strip", a.skull_strip,
                   "How the brain is found, for networks with a skull-stripped channel (S3)")
      ->check(CLI::IsMember({"classical", "unet3d"}))
      ->capture_default_str();
  command->add_option("--precision", a.precision, "Of the network; auto: float32")
      ->check(CLI::IsMember({"auto", "float32", "bfloat16"}))
      ->capture_default_str();
  command->add_option("--engine", a.engine, "What runs the network; auto: what was measured to be fastest")
      ->check(CLI::IsMember({"auto", "native", "torch", "openvino"}))
      ->capture_default_str();
  command->add_option("--network-cache", a.network_cache, "Folder where OpenVINO may keep compiled networks");
  add_threads(*command, a.classifier.network.threads);
  add_study_options(*command, a.study);
  add_output_flags(*command, context, "Print the result as JSON");
  command->callback([arguments, &context] { classify(*arguments, context); });
}

}  // namespace ichdet::cli
