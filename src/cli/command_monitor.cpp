#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "commands.hpp"
#include "ichdet/report/drift.hpp"
#include "ichdet/train/monitor.hpp"
#include "options.hpp"
#include "output_file.hpp"

namespace ichdet::cli {
namespace {

struct MonitorArguments {
  std::string bundle, out, png;
  std::vector<std::filesystem::path> results;
  bool store = false, fail_on_drift = false;
};

void monitor(const MonitorArguments& a, const Context& context) {
  const auto scores = train::read_results(a.results);
  if (a.store) {
    const auto reference = train::reference_file(a.bundle);
    OutputFile("BUNDLE", reference.string()).write(train::to_json_text(scores));
    if (!context.quiet) std::printf("%zu studies -> %s\n", scores.studies.size(), reference.c_str());
    return;
  }
  OutputFile out("--out", a.out);
  const auto report = train::monitor(a.bundle, scores);
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
  command->add_option("BUNDLE", a.bundle, "A bundle's or ensemble's name or folder")->required();
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
