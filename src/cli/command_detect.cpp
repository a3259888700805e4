#include <CLI/CLI.hpp>
#include <filesystem>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "commands.hpp"
#include "ichdet/bundle/shipped.hpp"
#include "ichdet/io/study.hpp"
#include "ichdet/pipeline/open_detector.hpp"
#include "ichdet/pipeline/write_detection.hpp"
#include "ichdet/report/json.hpp"
#include "ichdet/report/summary.hpp"
#include "options.hpp"

namespace ichdet::cli {

namespace {

struct DetectArguments {
  std::string input, out, ensemble, precision = "auto", engine = "auto", region = "head";
  std::vector<std::string> bundles = {default_detector};
  std::filesystem::path network_cache;
  double memory_mib = 0;
  io::StudyOptions study;
  DetectorOptions detector;
};

AnyDetector make_detector(const DetectArguments& arguments) {
  OpenOptions options;
  auto& network = options.segmenter.network;
  network.threads = arguments.detector.threads;
  network.precision = parse_precision(arguments.precision);
  network.engine = parse_engine(arguments.engine);
  network.cache_folder = arguments.network_cache;
  network.memory_mib = arguments.memory_mib;
  options.segmenter.region = parse_search_region(arguments.region);
  options.classifier.network = network;
  if (network.precision == Precision::adaptive) options.classifier.network.precision = Precision::automatic;
  options.detector = arguments.detector;
  if (arguments.ensemble.empty()) return open_detector(arguments.bundles, options);
  const auto spec = read_ensemble(find_ensemble(arguments.ensemble).value_or(arguments.ensemble));
  return {EnsembleDetector(spec, options.segmenter, options.classifier, options.detector)};
}

void detect(const DetectArguments& arguments, const Context& context) {
  const auto detector = make_detector(arguments);
  const auto study = io::read_study(arguments.input, arguments.study, context.progress);
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
  auto* bundle =
      command
          ->add_option("-b,--bundle", a.bundles,
                       "Weights: a name from `ichdet models list`, or the folder of a bundle or an ensemble; the "
                       "answers of several bundles are averaged")
          ->allow_extra_args(false)
          ->capture_default_str();
  command
      ->add_option("--ensemble", a.ensemble,
                   "Instead: a YAML file that combines several bundles, or a folder with ensemble.yaml")
      ->excludes(bundle);
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
