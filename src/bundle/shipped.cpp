#include "ichdet/bundle/shipped.hpp"

#include <dlfcn.h>

#include <algorithm>
#include <cstdlib>

#include "embedded.hpp"

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

}  // namespace ichdet
