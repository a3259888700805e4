#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "commands.hpp"
#include "ichdet/core/error.hpp"
#include "ichdet/pipeline/import.hpp"
#include "options.hpp"

namespace ichdet::cli {
namespace {

struct ImportArguments {
  std::string folder, out;
  BundleOptions bundle;
};

void add_common(CLI::App& command, ImportArguments& a, const std::string& folder) {
  command.add_option("FOLDER", a.folder, folder)->required();
  command.add_option("-o,--out", a.out, "The bundle's folder, new or empty")->required();
  command.add_option("--name", a.bundle.name, "The bundle's name");
  command.add_option("--model-version", a.bundle.version, "The bundle's version")->capture_default_str();
  command.add_option("--licence", a.bundle.licence, "The weights' licence as an SPDX expression");
  command.add_option("--licence-file", a.bundle.licence_file, "Its text");
  command.add_option("--training-data", a.bundle.training_data, "What they were trained on, in words");
}

void report(const std::vector<std::filesystem::path>& bundles, const Context& context) {
  if (context.json) {
    auto folders = nlohmann::json::array();
    for (const auto& bundle : bundles) folders.push_back(bundle.string());
    std::printf("%s\n", nlohmann::json{{"bundles", folders}}.dump(2).c_str());
  } else if (!context.quiet) {
    for (const auto& bundle : bundles) std::printf("%s: a bundle\n", bundle.c_str());
  }
}

void add_mindgrab(CLI::App& import, Context& context) {
  auto* command = import.add_subcommand("mindgrab", "brainchop's brain extraction, for `ichdet strip`");
  const auto arguments = std::make_shared<ImportArguments>();
  add_common(*command, *arguments, "brainchop-models' meshnet/mindgrab: model.json and model.pth");
  add_output_flags(*command, context, "Print JSON");
  command->callback([arguments, &context] {
    import_mindgrab(arguments->folder, arguments->out, arguments->bundle);
    report({arguments->out}, context);
  });
}

void add_blood(CLI::App& command, std::vector<std::string>& blood) {
  command.add_option("--blood", blood, "The classes that are hemorrhage, which the files do not say")->expected(1, 255);
}

void add_nnunet(CLI::App& import, Context& context) {
  struct Arguments : ImportArguments {
    NnunetImportOptions nnunet;
  };
  auto* command = import.add_subcommand("nnunet", "A trained nnU-Net v2: 3D, one channel of CT");
  const auto arguments = std::make_shared<Arguments>();
  auto& a = arguments->nnunet;
  add_common(*command, *arguments, "With plans.json, dataset.json and fold_N: TRAINER__PLANS__CONFIGURATION");
  add_blood(*command, a.blood);
  command->add_option("--fold", a.folds,
                      "0, 1, ... or all; several make a bundle each. By default those that are there");
  command->add_option("--checkpoint", a.checkpoint, "In each fold's folder")->capture_default_str();
  command
      ->add_option("--orientation", a.orientation,
                   "Where x, y and z of the training images ran to, which nnU-Net does not say: LPS, RAS, ...")
      ->capture_default_str();
  command->add_option("--trainer", a.trainer, "A trainer's class that is not known, and builds the plan's network");
  add_output_flags(*command, context, "Print JSON");
  command->callback([arguments, &context] {
    arguments->nnunet.bundle = arguments->bundle;
    report(import_nnunet(arguments->folder, arguments->out, arguments->nnunet), context);
  });
}

/// "id=value" to its parts; a value that is no JSON is text.
std::map<std::string, nlohmann::json> stated_values(const std::vector<std::string>& texts) {
  std::map<std::string, nlohmann::json> values;
  for (const auto& text : texts) {
    const auto equals = text.find('=');
    if (equals == 0 || equals == std::string::npos) {
      throw Error::mismatch(ErrorCode::options, "--state", "ID=VALUE, such as network_def#in_channels=1", text);
    }
    const auto value = text.substr(equals + 1);
    const auto parsed = nlohmann::json::parse(value, nullptr, false);
    values[text.substr(0, equals)] = parsed.is_discarded() ? nlohmann::json(value) : parsed;
  }
  return values;
}

void add_monai(CLI::App& import, Context& context) {
  struct Arguments : ImportArguments {
    MonaiImportOptions monai;
    std::vector<std::string> stated;
  };
  auto* command = import.add_subcommand("monai", "A MONAI bundle of a DynUNet or UNet");
  const auto arguments = std::make_shared<Arguments>();
  auto& a = arguments->monai;
  add_common(*command, *arguments, "With configs/metadata.json, configs/inference.json or .yaml, models/model.pt");
  add_blood(*command, a.blood);
  command->add_option("--config", a.config, "In configs/; by default inference.json, .yaml or .yml");
  command->add_option("--weights", a.weights, "In FOLDER")->capture_default_str();
  command->add_option("--state", arguments->stated,
                      "ID=VALUE, the value as JSON: what an expression of the configuration comes to, such as "
                      "network_def#in_channels=1");
  add_output_flags(*command, context, "Print JSON");
  command->callback([arguments, &context] {
    arguments->monai.stated = stated_values(arguments->stated);
    arguments->monai.bundle = arguments->bundle;
    import_monai(arguments->folder, arguments->out, arguments->monai);
    report({arguments->out}, context);
  });
}

}  // namespace

void add_import(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand("import", "Make bundles of what other programs trained");
  command->require_subcommand(1);
  add_mindgrab(*command, context);
  add_nnunet(*command, context);
  add_monai(*command, context);
}

}  // namespace ichdet::cli
