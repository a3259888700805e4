#include <CLI/CLI.hpp>
#include <filesystem>
#include <functional>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bundles.hpp"
#include "commands.hpp"
#include "ichdet/io/study.hpp"
#include "ichdet/pipeline/detector.hpp"
#include "ichdet/pipeline/ensemble_detector.hpp"
#include "ichdet/pipeline/write_detection.hpp"
#include "ichdet/report/json.hpp"
#include "ichdet/report/summary.hpp"
#include "options.hpp"

namespace ichdet::cli {

namespace {

struct DetectArguments {
  std::string input, out, ensemble, precision = "auto", engine = "auto", region = "head";
  std::vector<std::string> bundles = {"blast-ct-v1"};
  std::filesystem::path network_cache;
  double memory_mib = 0;
  io::StudyOptions study;
  DetectorOptions detector;
};

SegmenterOptions segmenter_options(const DetectArguments& arguments) {
  SegmenterOptions options;
  options.network.threads = arguments.detector.threads;
  options.network.precision = parse_precision(arguments.precision);
  options.network.engine = parse_engine(arguments.engine);
  options.network.cache_folder = arguments.network_cache;
  options.network.memory_mib = arguments.memory_mib;
  options.region = parse_search_region(arguments.region);
  return options;
}

/// Made before the output is touched, since weights may be refused.
std::function<Detection(const SliceStack&, const Progress&)> make_detector(
    const DetectArguments& arguments, const std::optional<EnsembleSpec>& ensemble) {
  const auto options = segmenter_options(arguments);
  if (!ensemble) {
    return Detector(Segmenter(open_named(arguments.bundles), options), arguments.detector);
  }
  ClassifierOptions classifier;
  classifier.network = options.network;
  if (classifier.network.precision == Precision::adaptive) classifier.network.precision = Precision::automatic;
  return EnsembleDetector(*ensemble, options, classifier, arguments.detector);
}

void detect(const DetectArguments& arguments, const Context& context) {
  std::optional<EnsembleSpec> ensemble;
  if (!arguments.ensemble.empty()) ensemble = read_ensemble(arguments.ensemble);
  const auto study = io::read_study(arguments.input, arguments.study, context.progress);
  const auto detector = make_detector(arguments, ensemble);
  check_writable(arguments.out);
  const auto detection = detector(study.stack, context.progress);
  const auto result = write_detection(detection, study, arguments.out, context.progress);
  if (context.json) {
    std::cout << to_json_text(result);
  } else if (!context.quiet) {
    std::cout << summary(result) << "\nWritten to " << arguments.out
              << ": sheet.png, result.json, labels.nii.gz, slices/\n";
  }
}

}  // namespace

void add_detect(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand("detect", "Find blood in a head CT: where, how much, how sure");
  auto arguments = std::make_shared<DetectArguments>();
  auto& a = *arguments;
  command->add_option("INPUT", a.input, "DICOM folder, one DICOM file, or NIfTI file (.nii, .nii.gz)")->required();
  command->add_option("-o,--out", a.out, "Folder for result.json, labels.nii.gz, sheet.png and slices/")->required();
  auto* bundle = command
                     ->add_option("-b,--bundle", a.bundles,
                                  "Weights: a name from `ichdet models list`, or a bundle's folder; the answers of "
                                  "several are averaged")
                     ->allow_extra_args(false)
                     ->capture_default_str();
  command->add_option("--ensemble", a.ensemble, "Instead: a YAML file that combines several bundles")->excludes(bundle);
  command
      ->add_option("--precision", a.precision,
                   "float32; bfloat16; adaptive: bfloat16, and float32 again wherever it may matter; auto: adaptive "
                   "where the CPU has AMX, else float32")
      ->check(CLI::IsMember({"auto", "float32", "bfloat16", "adaptive"}))
      ->capture_default_str();
  command
      ->add_option(
          "--engine", a.engine,
          "What runs the network: ichdet's own kernels, LibTorch or OpenVINO; auto: what was measured to be fastest")
      ->check(CLI::IsMember({"auto", "native", "torch", "openvino"}))
      ->capture_default_str();
  command->add_option("--memory", a.memory_mib, "MiB that a network's activations may take; 0: as they come")
      ->check(zero_or_more())
      ->capture_default_str();
  command->add_option("--network-cache", a.network_cache, "Folder where OpenVINO may keep compiled networks");
  command
      ->add_option("--region", a.region,
                   "Where blood is looked for: in the head, everywhere, or in the brain alone (twice as fast, but what "
                   "the brain "
                   "mask misses is missed)")
      ->check(CLI::IsMember({"head", "brain", "everywhere"}))
      ->capture_default_str();
  add_threads(*command, a.detector.threads);
  add_study_options(*command, a.study);
  command
      ->add_option("--threshold", a.detector.decision_threshold,
                   "Study probability from which the answer is yes; by default the bundle's, else 0.5")
      ->check(number_from(1e-6, 1 - 1e-6, "a number between 0 and 1"));
  command->add_option("--min-lesion-ml", a.detector.min_lesion_ml, "Smaller pieces are not listed as lesions")
      ->check(zero_or_more())
      ->capture_default_str();
  add_output_flags(*command, context, "Print the result as JSON");
  command->callback([arguments, &context] { detect(*arguments, context); });
}

}  // namespace ichdet::cli
