#include <CLI/CLI.hpp>
#include <filesystem>
#include <iostream>
#include <memory>

#include "commands.hpp"
#include "ichdet/bundle/cache.hpp"
#include "ichdet/core/error.hpp"
#include "ichdet/io/study.hpp"
#include "ichdet/pipeline/detector.hpp"
#include "ichdet/pipeline/write_detection.hpp"
#include "ichdet/report/json.hpp"
#include "ichdet/report/summary.hpp"

namespace ichdet::cli {

namespace {

struct DetectArguments {
  std::string input, out, bundle = "blast-ct-v1", ensemble, precision = "float32";
  io::StudyOptions study;
  DetectorOptions detector;
};

Segmenter load(const DetectArguments& arguments) {
  std::vector<Bundle> members;
  for (const auto& folder : resolve_bundles(arguments.bundle)) members.push_back(open_bundle(folder));
  SegmenterOptions options;
  options.network.threads = arguments.detector.threads;
  return Segmenter(members, options);
}

void detect(const DetectArguments& arguments, const Context& context) {
  if (!arguments.ensemble.empty()) {
    throw Error(ErrorCode::options,
                "--ensemble: ensembles from a YAML file do not exist yet; the twelve BLAST-CT members together are "
                "--bundle blast-ct-v1-ensemble");
  }
  if (arguments.precision != "float32") {
    throw Error(ErrorCode::options, "--precision " + arguments.precision + ": does not exist yet; float32 does");
  }
  const Detector detector(load(arguments), arguments.detector);
  const auto study = io::read_study(arguments.input, arguments.study, context.progress);
  const auto detection = detector(study.stack, context.progress);
  const auto result = write_detection(detection, study, arguments.out, context.progress);
  if (context.json) {
    std::cout << to_json_text(result);
  } else if (!context.quiet) {
    std::cout << summary(result) << "\nWritten to " << arguments.out << ": sheet.png, result.json, labels.nii.gz, slices/\n";
  }
}

}  // namespace

void add_detect(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand("detect", "Find blood in a head CT: where, how much, how sure");
  auto arguments = std::make_shared<DetectArguments>();
  auto& a = *arguments;
  command->add_option("INPUT", a.input, "DICOM folder, one DICOM file, or NIfTI file (.nii, .nii.gz)")->required();
  command->add_option("-o,--out", a.out, "Folder for result.json, labels.nii.gz, sheet.png and slices/")->required();
  command->add_option("-b,--bundle", a.bundle, "Weights: a name from `ichdet models list`, or a bundle's folder")
      ->capture_default_str();
  command->add_option("--ensemble", a.ensemble, "YAML file that combines several bundles (not yet)");
  command->add_option("--precision", a.precision, "float32; bfloat16 and adaptive do not exist yet")
      ->check(CLI::IsMember({"float32", "bfloat16", "adaptive"}))
      ->capture_default_str();
  command->add_option("--threads", a.detector.threads, "0: as many as the machine has")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command->add_option("--series", a.study.series_uid, "SeriesInstanceUID, where the folder holds several (see `ichdet info`)");
  command->add_flag("--allow-gaps", a.study.allow_gaps, "Read the series even where a slice seems to be missing");
  command->add_option("--slice-thickness", a.study.slice_thickness_mm, "Of a single slice, in mm, instead of the file's")
      ->check(CLI::PositiveNumber);
  command->add_option("--threshold", a.detector.decision_threshold, "Study probability from which the answer is yes")
      ->capture_default_str();
  command->add_option("--min-lesion-ml", a.detector.min_lesion_ml, "Smaller pieces are not listed as lesions")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command->add_flag("--json", context.json, "Print the result as JSON");
  command->add_flag("-q,--quiet", context.quiet, "Print nothing but errors");
  command->callback([arguments, &context] { detect(*arguments, context); });
}

}  // namespace ichdet::cli
