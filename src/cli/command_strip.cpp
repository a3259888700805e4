#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "commands.hpp"
#include "ichdet/bundle/cache.hpp"
#include "ichdet/io/study.hpp"
#include "ichdet/pipeline/write_strip.hpp"
#include "options.hpp"

namespace ichdet::cli {
namespace {

using nlohmann::json;

struct StripArguments {
  std::string input, out, engine = "classical", bundle;
  int threads = 0;
  io::StudyOptions study;
};

SkullStripper load(const StripArguments& a) {
  SkullStripOptions options;
  options.engine = parse_strip_engine(a.engine);
  options.threads = a.threads;
  const bool needed = options.engine == StripEngine::mindgrab, refused = options.engine == StripEngine::classical;
  if (a.bundle.empty() ? needed : refused) {
    throw Error::mismatch(ErrorCode::options, "--bundle",
                          (needed ? "one, for --engine " : "none, for --engine ") + a.engine,
                          a.bundle.empty() ? "none" : a.bundle);
  }
  if (!a.bundle.empty()) options.bundle = open_bundle(resolve_bundle(a.bundle));
  return SkullStripper(std::move(options));
}

void strip(const StripArguments& a, const Context& context) {
  const auto stripper = load(a);
  const auto study = io::read_study(a.input, a.study, context.progress);
  check_writable(a.out);
  const auto stripped = strip_stack(study.stack, stripper, a.threads, context.progress);
  write_strip(stripped, study, a.out);
  auto assumptions = study.stack.assumptions;
  assumptions.insert(assumptions.end(), stripped.found.assumptions.begin(), stripped.found.assumptions.end());
  if (context.json) {
    json bundles = json::array();
    for (const auto& bundle : stripped.found.bundles) {
      bundles.push_back({{"name", bundle.name}, {"version", bundle.version}, {"sha256", bundle.sha256}});
    }
    const json all{{"engine", stripped.found.engine},
                   {"bundles", bundles},
                   {"volume_ml", stripped.volume_ml},
                   {"assumptions", assumptions},
                   {"folder", a.out}};
    std::printf("%s\n", all.dump(2, ' ', false, json::error_handler_t::replace).c_str());
  } else if (!context.quiet) {
    std::printf("Inside the skull: %.0f mL (%s)\n", stripped.volume_ml, stripped.found.engine.c_str());
    for (const auto& assumption : assumptions) std::printf("  %s\n", assumption.c_str());
    std::printf("Written to %s: brain_mask.nii.gz, brain.nii.gz, sheet.png\n", a.out.c_str());
  }
}

}  // namespace

void add_strip(CLI::App& app, Context& context) {
  const auto arguments = std::make_shared<StripArguments>();
  auto& a = *arguments;
  auto* command = app.add_subcommand("strip", "Take the brain out of a head CT: mask, stripped scan, picture");
  command->add_option("INPUT", a.input, "DICOM folder, one DICOM file, or NIfTI file (.nii, .nii.gz)")->required();
  command->add_option("-o,--out", a.out, "Folder for brain_mask.nii.gz, brain.nii.gz and sheet.png")->required();
  command
      ->add_option("--engine", a.engine,
                   "classical: thresholds and morphology; unet3d: a small network that came with ichdet, or any "
                   "segmentation bundle with a class named brain; mindgrab: MindGrab (`ichdet import mindgrab`)")
      ->check(CLI::IsMember({"classical", "unet3d", "mindgrab"}))
      ->capture_default_str();
  command->add_option("-b,--bundle", a.bundle,
                      "The engine's weights: a bundle's name or folder (mindgrab; unet3d: in place of its own)");
  add_threads(*command, a.threads);
  add_study_options(*command, a.study);
  add_output_flags(*command, context, "Print volume and assumptions as JSON");
  command->callback([arguments, &context] { strip(*arguments, context); });
}

}  // namespace ichdet::cli
