#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "commands.hpp"
#include "ichdet/bundle/bundle.hpp"
#include "ichdet/bundle/cache.hpp"
#include "ichdet/bundle/ensemble_spec.hpp"
#include "ichdet/bundle/shipped.hpp"
#include "ichdet/core/error.hpp"
#include "ichdet/report/model_card.hpp"
#include "options.hpp"
#include "output_file.hpp"

namespace ichdet::cli {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

struct CardArguments {
  std::string model, title, out;
  std::vector<std::string> figures, records, data, limits;
};

ordered_json read_json(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Error(ErrorCode::io, path.string() + ": cannot be read");
  auto json = ordered_json::parse(file, nullptr, false);
  if (!json.is_object()) throw Error(ErrorCode::io, path.string() + ": expected a JSON object");
  return json;
}

/// What the card is of: a bundle, or an ensemble's members.
struct Subject {
  std::string name;
  fs::path folder;
  std::vector<fs::path> bundles;
};

Subject subject_of(const std::string& model) {
  Subject subject;
  if (const auto file = find_ensemble(model)) {
    const auto spec = read_ensemble(*file);
    subject = {spec.name, file->parent_path(), {}};
    for (const auto& member : spec.members) {
      subject.bundles.insert(subject.bundles.end(), member.folders.begin(), member.folders.end());
    }
    return subject;
  }
  const auto folder = resolve_bundle(model);
  return {open_bundle(folder).spec.name, folder, {folder}};
}

/// The record of a bundle's training, in its folder or where `ichdet train` leaves it, beside bundle/; or null.
ordered_json record_of(const fs::path& bundle) {
  for (const auto& file : {bundle / "record.json", fs::absolute(bundle).parent_path() / "record.json"}) {
    if (fs::exists(file)) return read_json(file);
  }
  return nullptr;
}

/// From "validation, 17 patients=figures.json".
std::pair<std::string, ordered_json> figures_of(const std::string& text) {
  const auto sign = text.rfind('=');
  if (sign == text.npos || sign == 0) {
    throw Error::mismatch(ErrorCode::options, "--figures",
                          "WHERE=FILE, such as \"validation, 17 patients=figures.json\"", text);
  }
  return {text.substr(0, sign), read_json(text.substr(sign + 1))};
}

void card(const CardArguments& a, const Context& context) {
  const auto subject = subject_of(a.model);
  if (!a.records.empty() && a.records.size() != subject.bundles.size()) {
    throw Error::mismatch(ErrorCode::options, "--record",
                          "one for each of " + std::to_string(subject.bundles.size()) + " bundles",
                          std::to_string(a.records.size()));
  }
  ModelCard card;
  card.title = a.title.empty() ? subject.name : a.title;
  card.data = a.data;
  card.limits = a.limits;
  for (std::size_t i = 0; i < subject.bundles.size(); ++i) {
    card.bundles.push_back(read_json(subject.bundles[i] / "bundle.json"));
    card.trainings.push_back(a.records.empty() ? record_of(subject.bundles[i]) : read_json(a.records[i]));
    const auto words = card.bundles.back().value("training_data", std::string());
    if (a.data.empty() && !words.empty()) card.data.push_back(card.bundles.back().value("name", "") + ": " + words);
  }
  for (const auto& text : a.figures) card.figures.push_back(figures_of(text));
  const auto text = model_card(card);
  const auto place = a.out.empty() ? (subject.folder / "README.md").string() : a.out;
  OutputFile("--out", place).write(text);
  if (!context.quiet) std::printf("%s\n", place.c_str());
}

}  // namespace

void add_card(CLI::App& app, Context& context) {
  const auto arguments = std::make_shared<CardArguments>();
  auto& a = *arguments;
  auto* command = app.add_subcommand("card", "Write a model's card: what it is for, learned from, and is worth");
  command->footer(
      "Of bundle.json, the training's record.json (in the bundle's folder or beside it) and figures of\n"
      "`ichdet judge --out`. A README.md that is there is written anew.");
  command->add_option("MODEL", a.model, "A name from `ichdet models list`, a bundle's or ensemble's folder")
      ->required();
  command
      ->add_option("--figures", a.figures, "WHERE=FILE: on what it was measured, in words, and `ichdet judge`'s JSON")
      ->allow_extra_args(false);
  command->add_option("--data", a.data, "A sentence on what it learned from; by default what the bundle says")
      ->allow_extra_args(false);
  command->add_option("--limit", a.limits, "A sentence on what it cannot do; may be repeated")->allow_extra_args(false);
  command->add_option("--record", a.records, "record.json of each bundle's training, where it lies elsewhere")
      ->allow_extra_args(false);
  command->add_option("--title", a.title, "By default the model's name");
  command->add_option("-o,--out", a.out, "File to write; by default README.md in the model's folder");
  command->add_flag("-q,--quiet", context.quiet, "Print nothing but errors");
  command->callback([arguments, &context] { card(*arguments, context); });
}

}  // namespace ichdet::cli
