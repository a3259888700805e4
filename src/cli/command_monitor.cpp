#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "commands.hpp"
#include "ichdet/bundle/cache.hpp"
#include "ichdet/core/error.hpp"
#include "ichdet/evaluate/drift.hpp"
#include "ichdet/report/drift.hpp"
#include "ichdet/report/json.hpp"
#include "options.hpp"
#include "output_file.hpp"

namespace ichdet::cli {
namespace {

namespace fs = std::filesystem;

struct MonitorArguments {
  std::string bundle, out, png;
  std::vector<std::string> results;
  bool store = false, fail_on_drift = false;
};

/// Every result.json in or below the given folders, and the given files, each once, in order of their paths.
std::vector<fs::path> result_files(const std::vector<std::string>& places) {
  std::vector<fs::path> files;
  for (const auto& place : places) {
    const auto before = files.size();
    if (fs::is_directory(place)) {
      for (const auto& entry : fs::recursive_directory_iterator(place)) {
        if (entry.is_regular_file() && entry.path().filename() == "result.json") files.push_back(entry.path());
      }
      if (files.size() == before) {
        throw Error::mismatch(ErrorCode::io, place, "result.json in it, as `ichdet detect` writes it", "none");
      }
    } else {
      files.push_back(place);
    }
  }
  std::sort(files.begin(), files.end());
  files.erase(std::unique(files.begin(), files.end()), files.end());
  return files;
}

std::vector<evaluate::StudyScores> read_scores(const std::vector<fs::path>& files) {
  std::vector<evaluate::StudyScores> scores;
  for (const auto& file : files) {
    const auto study = file.filename() == "result.json" && file.has_parent_path() ? file.parent_path() : file;
    scores.push_back(scores_of(fs::absolute(study).filename().string(), read_result(file)));
  }
  return scores;
}

fs::path reference_file(const std::string& bundle) {
  return (fs::is_directory(bundle) ? fs::path(bundle) : resolve_bundle(bundle)) / "reference_scores.json";
}

std::vector<evaluate::StudyScores> read_reference(const fs::path& path) {
  std::ifstream file(path);
  if (!file) {
    throw Error(ErrorCode::io, path.string() + ": cannot be read; `ichdet monitor --store` makes it from the results " +
                                   "of the validation set");
  }
  const auto json = nlohmann::ordered_json::parse(file, nullptr, false);
  return scores_from_json(json, path.string());
}

void monitor(const MonitorArguments& a, const Context& context) {
  const auto reference = reference_file(a.bundle);
  const auto scores = read_scores(result_files(a.results));
  if (a.store) {
    OutputFile("BUNDLE", reference.string()).write(to_json(scores).dump(1) + "\n");
    if (!context.quiet) std::printf("%zu studies -> %s\n", scores.size(), reference.c_str());
    return;
  }
  OutputFile out("--out", a.out);
  const auto report = evaluate::drift(read_reference(reference), scores);
  const auto json = to_json(report);
  const auto text = json.dump(2) + "\n";
  out.write(text);
  if (!a.png.empty()) io::write_png(a.png, draw_drift(report));
  if (context.json) {
    std::fputs(text.c_str(), stdout);
  } else if (!context.quiet) {
    std::printf("%lld studies against the validation set's %lld: %s\n", static_cast<long long>(report.studies),
                static_cast<long long>(report.reference_studies),
                report.verdict == evaluate::Drift::drift   ? "DRIFT"
                : report.verdict == evaluate::Drift::watch ? "watch"
                                                           : "no drift seen");
    for (const auto& words : report.words) std::printf("  %s\n", words.c_str());
  }
  if (a.fail_on_drift && report.verdict == evaluate::Drift::drift) throw CLI::RuntimeError(1);
}

}  // namespace

void add_monitor(CLI::App& app, Context& context) {
  const auto arguments = std::make_shared<MonitorArguments>();
  auto& a = *arguments;
  auto* command =
      app.add_subcommand("monitor", "Whether a model's scores of new studies drift from its validation set's");
  command->footer(
      "Compares probabilities of studies and slices, volumes and the rate of positive studies with those in the\n"
      "bundle's reference_scores.json, which --store makes from the results of the validation set. Drift says that\n"
      "scans, patients or reading have changed, not that the model is wrong: look at some of the new studies.\n"
      "Needs about 20 studies to see a large shift.");
  command->add_option("BUNDLE", a.bundle, "A bundle's name or folder, or an ensemble's folder")->required();
  command->add_option("RESULTS", a.results, "result.json files, or folders with such files in or below them")
      ->required();
  command->add_flag("--store", a.store, "Make RESULTS, those of the validation set, the bundle's reference");
  command->add_flag("--fail-on-drift", a.fail_on_drift, "Exit code 1 where there is drift");
  command->add_option("--out", a.out, "Write the comparison as JSON (what --json prints)");
  command->add_option("--png", a.png, "Write a picture with both distributions");
  add_output_flags(*command, context, "Print the comparison as JSON");
  command->callback([arguments, &context] { monitor(*arguments, context); });
}

}  // namespace ichdet::cli
