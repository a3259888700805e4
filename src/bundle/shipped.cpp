#include "ichdet/bundle/shipped.hpp"

#include <dlfcn.h>

#include <algorithm>
#include <cstdlib>

#include "embedded.hpp"
#include "ichdet/bundle/bundle.hpp"
#include "ichdet/bundle/ensemble_spec.hpp"
#include "ichdet/core/error.hpp"

namespace ichdet {
namespace {

namespace fs = std::filesystem;

const char* const ensemble_name = "ensemble.yaml";

bool is_model(const fs::path& folder) {
  std::error_code failed;
  return fs::exists(folder / "bundle.json", failed) || fs::exists(folder / ensemble_name, failed);
}

/// Of the program or library that holds this code.
fs::path own_folder() {
  Dl_info info{};
  std::error_code failed;
  if (::dladdr(reinterpret_cast<const void*>(&is_model), &info) == 0 || info.dli_fname == nullptr) return {};
  const auto program = fs::read_symlink("/proc/self/exe", failed);  // dladdr has a program's name as it was typed
  const auto file = fs::path(info.dli_fname);
  return (file.filename() == program.filename() ? program : fs::weakly_canonical(file, failed)).parent_path();
}

}  // namespace

std::optional<fs::path> shipped_bundles() {
  std::error_code failed;
  if (const char* chosen = std::getenv("ICHDET_BUNDLES"); chosen != nullptr && *chosen != '\0') return chosen;
  const auto own = own_folder();
  for (const auto& folder :
       {own / "bundles", own.parent_path() / "share" / "ichdet" / "bundles",
        own.parent_path().parent_path() / "share" / "ichdet" / "bundles", fs::path(embedded::bundles)}) {
    if (fs::is_directory(folder, failed)) return folder;
  }
  return std::nullopt;
}

std::optional<fs::path> find_shipped(const std::string& name) {
  const auto folder = shipped_bundles();
  if (!folder || name.empty() || fs::path(name).filename() != name || !is_model(*folder / name)) return std::nullopt;
  return *folder / name;
}

std::vector<std::string> shipped_names() {
  std::vector<std::string> names;
  std::error_code failed;
  const auto folder = shipped_bundles();
  if (!folder) return names;
  for (const auto& entry : fs::directory_iterator(*folder, failed)) {
    if (is_model(entry.path())) names.push_back(entry.path().filename().string());
  }
  std::ranges::sort(names);
  return names;
}

std::optional<fs::path> find_ensemble(const std::string& name_or_path) {
  std::error_code failed;
  const auto shipped = find_shipped(name_or_path);
  const auto path = shipped.value_or(name_or_path);
  if (fs::is_regular_file(path, failed)) return path;
  return fs::exists(path / ensemble_name, failed) ? std::optional(path / ensemble_name) : std::nullopt;
}

ShippedModel shipped_model(const std::string& name) {
  const auto folder = find_shipped(name);
  if (!folder) throw Error(ErrorCode::weights, name + ": no such bundle came with ichdet");
  ShippedModel model{name, "", "", "", {}, *folder, {*folder}};
  if (const auto file = find_ensemble(name)) {
    model.bundles.clear();
    for (const auto& member : read_ensemble(*file).members) {
      model.members.push_back(member.bundle);
      model.bundles.insert(model.bundles.end(), member.folders.begin(), member.folders.end());
    }
  }
  std::vector<std::string> versions, licences, titles;
  const auto add = [](std::vector<std::string>& texts, const std::string& more) {
    if (!more.empty() && std::ranges::find(texts, more) == texts.end()) texts.push_back(more);
  };
  for (const auto& bundle : open_bundles(model.bundles)) {
    add(versions, bundle.spec.version);
    add(licences, bundle.spec.licence);
    add(titles, to_string(bundle.spec.task) + " (" + bundle.spec.architecture + ")");
    if (bundle.spec.untrained) add(titles, "UNTRAINED");
  }
  const auto join = [](const std::vector<std::string>& texts, const char* between) {
    std::string text;
    for (const auto& one : texts) text += (text.empty() ? "" : between) + one;
    return text;
  };
  model.version = join(versions, " + ");
  model.licence = join(licences, " AND ");
  model.title = join(titles, ", ");
  return model;
}

std::vector<ShippedModel> shipped_models() {
  std::vector<ShippedModel> models;
  for (const auto& name : shipped_names()) models.push_back(shipped_model(name));
  return models;
}

}  // namespace ichdet
