#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "commands.hpp"
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

void report(const std::string& folder, const Context& context) {
  if (context.json) {
    std::printf("%s\n", nlohmann::json{{"bundles", {folder}}}.dump(2).c_str());
  } else if (!context.quiet) {
    std::printf("%s: a bundle\n", folder.c_str());
  }
}

void add_mindgrab(CLI::App& import, Context& context) {
  auto* command = import.add_subcommand("mindgrab", "brainchop's brain extraction, for `ichdet strip`");
  const auto arguments = std::make_shared<ImportArguments>();
  add_common(*command, *arguments, "brainchop-models' meshnet/mindgrab: model.json and model.pth");
  add_output_flags(*command, context, "Print JSON");
  command->callback([arguments, &context] {
    import_mindgrab(arguments->folder, arguments->out, arguments->bundle);
    report(arguments->out, context);
  });
}

}  // namespace

void add_import(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand("import", "Make bundles of what other programs trained");
  command->require_subcommand(1);
  add_mindgrab(*command, context);
}

}  // namespace ichdet::cli
