#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "commands.hpp"
#include "ichdet/bundle/ensemble_spec.hpp"
#include "ichdet/bundle/fetch.hpp"
#include "ichdet/bundle/shipped.hpp"
#include "ichdet/core/error.hpp"
#include "ichdet/pipeline/export.hpp"
#include "ichdet/pipeline/open_detector.hpp"
#include "options.hpp"

namespace ichdet::cli {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

struct ExportArguments {
  std::string model, out, format = "onnx";
  std::int64_t batch = 1;
  bool overwrite = false;
};

/// Of a bundle, of several under one name, or of an ensemble's members.
std::vector<Bundle> networks_of(const std::string& model) {
  const auto ensemble = find_ensemble(model);
  if (!ensemble) return open_named({model});
  std::vector<Bundle> found;
  for (const auto& member : read_ensemble(*ensemble).members) {
    for (auto& bundle : open_bundles(member.folders)) found.push_back(std::move(bundle));
  }
  return found;
}

void export_model(const ExportArguments& a, const Context& context) {
  ExportOptions options;
  options.format = parse_export_format(a.format);
  options.batch = a.batch;
  options.python = FetchOptions::from_environment().python;
  const auto bundles = networks_of(a.model);
  const std::string ending = options.format == ExportFormat::onnx ? ".onnx" : ".pt2";
  if (bundles.size() > 1) check_writable(a.out);
  json all = json::array();
  for (const auto& bundle : bundles) {
    const auto file =
        bundles.size() > 1 || fs::is_directory(a.out) ? fs::path(a.out) / (bundle.spec.name + ending) : fs::path(a.out);
    if (fs::exists(file) && !a.overwrite) {
      throw Error(ErrorCode::io, file.string() + ": is there already; --overwrite replaces it");
    }
    const auto shape = export_network(bundle, file, options, context.progress);
    all.push_back({{"file", file.string()},
                   {"model", bundle.spec.name},
                   {"version", bundle.spec.version},
                   {"format", a.format},
                   {"input", shape}});
    if (context.quiet || context.json) continue;
    std::string sizes;
    for (const auto size : shape) sizes += (sizes.empty() ? "" : " x ") + std::to_string(size);
    std::printf("%s: %s %s, input %s\n", file.c_str(), bundle.spec.name.c_str(), bundle.spec.version.c_str(),
                sizes.c_str());
  }
  if (context.json) std::printf("%s\n", all.dump(2).c_str());
}

}  // namespace

void add_export(CLI::App& app, Context& context) {
  const auto arguments = std::make_shared<ExportArguments>();
  auto& a = *arguments;
  auto* command =
      app.add_subcommand("export", "Write a model's network for programs without ichdet: ONNX, or torch.export's .pt2");
  command
      ->add_option("MODEL", a.model, "A model's name (`ichdet models list`), or the folder of a bundle or an ensemble")
      ->required();
  command
      ->add_option("-o,--out", a.out,
                   "File to write; of a model of several networks, or where it is a folder: a file for each in it")
      ->required();
  command->add_option("--format", a.format, "onnx, or torch-export (needs a Python with torch: ICHDET_PYTHON)")
      ->check(CLI::IsMember({"onnx", "torch-export"}))
      ->capture_default_str();
  command->add_option("--batch", a.batch, "Inputs at a time: the file is for this many")
      ->check(number_from(1, 4096, "1 to 4096"))
      ->capture_default_str();
  command->add_flag("--overwrite", a.overwrite, "Replace a file that is there already");
  add_output_flags(*command, context, "Print what was written, as JSON");
  command->callback([arguments, &context] { export_model(*arguments, context); });
}

}  // namespace ichdet::cli
