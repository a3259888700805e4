#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "commands.hpp"
#include "ichdet/bundle/bundle.hpp"
#include "ichdet/bundle/cache.hpp"
#include "ichdet/bundle/fetch.hpp"
#include "ichdet/bundle/registry.hpp"
#include "ichdet/bundle/shipped.hpp"
#include "options.hpp"
#include "shipped_models.hpp"

namespace ichdet::cli {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

std::string megabytes(std::int64_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f MB", double(bytes) / 1e6);
  return text;
}

void print_json(const json& value) { std::printf("%s\n", value.dump(2).c_str()); }

bool all_cached(const Registry& registry, const RegistryEntry& entry) {
  const auto cache = default_cache_folder();
  return std::ranges::all_of(registry.bundles_of(entry),
                             [&](const auto* bundle) { return is_cached(cache, bundle->name); });
}

json folders_of(const Registry& registry, const RegistryEntry& entry) {
  json folders = json::array();
  for (const auto* bundle : registry.bundles_of(entry)) {
    if (is_cached(default_cache_folder(), bundle->name)) {
      folders.push_back(cached_bundle_folder(default_cache_folder(), bundle->name).string());
    }
  }
  return folders;
}

void list(const Context& context) {
  const auto registry = builtin_registry();
  json all = json::array();
  std::vector<std::vector<std::string>> rows{{"NAME", "DOWNLOAD", "LICENCE", "CACHED", "WHAT"}};
  for (const auto& model : shipped_models()) {
    rows.push_back({model.name, "-", model.licence, "shipped", model.title});
    all.push_back({{"name", model.name},
                   {"version", model.version},
                   {"title", model.title},
                   {"licence", model.licence},
                   {"size_bytes", 0},
                   {"cached", true},
                   {"members", model.members},
                   {"folder", model.folder.string()}});
  }
  for (const auto& entry : registry.entries) {
    const bool cached = all_cached(registry, entry);
    rows.push_back(
        {entry.name, megabytes(registry.size_bytes(entry)), entry.licence, cached ? "yes" : "no", entry.title});
    all.push_back({{"name", entry.name},
                   {"version", entry.version},
                   {"title", entry.title},
                   {"licence", entry.licence},
                   {"size_bytes", registry.size_bytes(entry)},
                   {"cached", cached},
                   {"members", entry.members}});
  }
  if (context.json) {
    print_json(all);
  } else {
    print_table(rows);
    if (!context.quiet) std::printf("\nCache: %s. Not for clinical use.\n", default_cache_folder().c_str());
  }
}

void get(const std::vector<std::string>& names, bool force, const Context& context) {
  const auto registry = builtin_registry();
  auto options = FetchOptions::from_environment();
  options.force = force;
  json made = json::array();
  for (const auto& name : names) {
    for (const auto* bundle : registry.bundles_of(registry.find(name))) {
      const bool cached = !force && is_cached(default_cache_folder(), bundle->name);
      const auto folder = fetch_bundle(*bundle, options, context.progress);
      made.push_back(
          {{"name", bundle->name}, {"folder", folder.string()}, {"cached", cached}, {"licence", bundle->licence}});
    }
  }
  if (context.json) {
    print_json(made);
  } else if (!context.quiet) {
    for (const auto& bundle : made) {
      std::printf("%s: %s%s (licence %s)\n", bundle["name"].get<std::string>().c_str(),
                  bundle["folder"].get<std::string>().c_str(), bundle["cached"] ? ", there already" : "",
                  bundle["licence"].get<std::string>().c_str());
    }
  }
}

/// Everything that is wrong with one bundle, in words.
std::vector<std::string> faults_of(const fs::path& folder, const Context& context) {
  std::vector<std::string> faults;
  if (fs::exists(folder / "SHA256SUMS")) {
    for (const auto& fault : verify_bundle(folder, context.progress)) {
      faults.push_back(fault.file + ": SHA-256: expected " + fault.expected + ", found " + fault.found);
    }
  }
  if (faults.empty()) {
    try {
      open_bundle(folder);
    } catch (const Error& e) {
      faults.emplace_back(e.what());
    }
  }
  return faults;
}

void verify(std::vector<std::string> names, const Context& context) {
  const auto registry = builtin_registry();
  const auto cache = default_cache_folder();
  if (names.empty()) {
    for (const auto& entry : registry.entries) {
      if (!entry.is_ensemble() && is_cached(cache, entry.name)) names.push_back(entry.name);
    }
    if (names.empty())
      throw Error(ErrorCode::weights, cache.string() + ": no bundle to verify there; see `ichdet models get`");
  }
  json all = json::array();
  std::string broken;
  for (const auto& name : names) {
    for (const auto& folder :
         find_shipped(name) ? shipped_model(name).bundles : resolve_bundles(name, registry, cache)) {
      const auto faults = faults_of(folder, context);
      if (!faults.empty() && broken.empty()) broken = folder.string() + ": " + faults.front();
      if (!context.json && !context.quiet && faults.empty()) std::printf("ok  %s\n", folder.c_str());
      all.push_back({{"folder", folder.string()}, {"ok", faults.empty()}, {"faults", faults}});
    }
  }
  if (context.json) print_json(all);
  if (!broken.empty()) {
    throw Error(ErrorCode::weights, broken + "; `ichdet models get --force NAME` makes a bundle again");
  }
}

json details_of(const Registry& registry, const RegistryEntry& entry) {
  json files = json::array();
  for (const auto& file : entry.files) {
    files.push_back(
        {{"name", file.name}, {"size_bytes", file.size_bytes}, {"sha256", file.sha256}, {"path", file.path}});
  }
  return {{"name", entry.name},
          {"version", entry.version},
          {"title", entry.title},
          {"description", entry.description},
          {"intended_use", entry.intended_use},
          {"licence", entry.licence},
          {"citation", entry.citation},
          {"classes", entry.classes},
          {"members", entry.members},
          {"sources", entry.sources},
          {"source_note", entry.source_note},
          {"mirror_folder", entry.mirror_folder},
          {"files", files},
          {"size_bytes", registry.size_bytes(entry)},
          {"folders", folders_of(registry, entry)}};
}

std::string joined(const json& texts, const std::string& separator) {
  std::string line;
  for (const auto& text : texts) line += (line.empty() ? "" : separator) + text.get<std::string>();
  return line;
}

void show(const std::string& name, const Context& context) {
  if (find_shipped(name)) return show_shipped(name, context);
  const auto registry = builtin_registry();
  const auto details = details_of(registry, registry.find(name));
  if (context.json) return print_json(details);
  const auto line = [](const char* key, const std::string& value) {
    if (!value.empty()) std::printf("%-13s %s\n", key, value.c_str());
  };
  const auto text = [&](const char* key) { return details[key].get<std::string>(); };
  line("name", text("name"));
  line("version", text("version"));
  line("what", text("title"));
  line("", text("description"));
  line("classes", joined(details["classes"], ", "));
  line("members", joined(details["members"], ", "));
  line("intended use", text("intended_use"));
  line("licence", text("licence"));
  line("citation", text("citation"));
  line("source", joined(details["sources"], ", "));
  line("", text("source_note"));
  for (const auto& file : details["files"]) {
    line("file", text("mirror_folder") + "/" + file["name"].get<std::string>() + " in a mirror, " +
                     file["path"].get<std::string>() + " at the source, " +
                     std::to_string(file["size_bytes"].get<std::int64_t>()) + " bytes");
    line("", "SHA-256 " + file["sha256"].get<std::string>());
  }
  line("download", megabytes(details["size_bytes"].get<std::int64_t>()));
  const auto folders = joined(details["folders"], ", ");
  line("cached", folders.empty() ? "no; `ichdet models get " + name + "`" : folders);
}

}  // namespace

void add_models(CLI::App& app, Context& context) {
  auto* models = app.add_subcommand("models", "Trained networks: which there are, and getting them");
  models->require_subcommand(1);
  models->footer(
      "Bundles are kept in $ICHDET_CACHE, else $XDG_CACHE_HOME/ichdet, else ~/.cache/ichdet.\n"
      "ICHDET_MODEL_MIRROR=folder-or-address serves published files where there is no internet;\n"
      "ICHDET_PYTHON=/path/to/python names a Python with torch, which converts published weights.");
  const auto add = [&](const char* name, const char* what) {
    auto* command = models->add_subcommand(name, what);
    add_output_flags(*command, context, "Print JSON");
    return command;
  };
  struct Arguments {
    std::vector<std::string> names;
    bool force = false;
  };
  const auto arguments = std::make_shared<Arguments>();

  add("list", "Every model that ichdet knows by name")->callback([&context] { list(context); });

  auto* get_command = add("get", "Download, check and convert bundles into the cache");
  get_command->add_option("NAME", arguments->names, "Names from `ichdet models list`")->required();
  get_command->add_flag("--force", arguments->force, "Make them again even if the cache holds them");
  get_command->callback([arguments, &context] { get(arguments->names, arguments->force, context); });

  auto* verify_command = add("verify", "Check the hashes and the form of bundles");
  verify_command->add_option("NAME", arguments->names, "Names or bundle folders (default: all in the cache)");
  verify_command->callback([arguments, &context] { verify(arguments->names, context); });

  auto* show_command = add("show", "What a bundle is for, where it comes from, its licence and files");
  show_command->add_option("NAME", arguments->names, "A name from `ichdet models list`")->required()->expected(1);
  show_command->callback([arguments, &context] { show(arguments->names.front(), context); });
  add_models_make(*models, context);
}

}  // namespace ichdet::cli
