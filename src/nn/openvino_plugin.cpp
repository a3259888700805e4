#include "openvino_plugin.hpp"

#include <dlfcn.h>
#include <torch/version.h>

#include "ichdet/core/error.hpp"

namespace ichdet::nn {
namespace {

constexpr const char* plugin_name = "libichdet_openvino.so";

/// Folder of the executable or library that holds this code.
std::filesystem::path own_folder() {
  static const char here = 0;
  Dl_info info;
  if (dladdr(&here, &info) == 0 || info.dli_fname == nullptr) return ".";
  std::error_code failed;
  auto file = std::filesystem::canonical(info.dli_fname, failed);
  // An executable's name may be relative to a folder that is no longer the current one.
  if (failed) file = std::filesystem::canonical("/proc/self/exe", failed);
  return file.parent_path();
}

/// Beside the code, where `cmake --install` puts it, on the run path of the code (projects that link the installed
/// ichdet have that folder on theirs), and where it was built.
std::vector<std::filesystem::path> plugin_files() {
  const auto folder = own_folder();
  return {folder / plugin_name, folder / ".." / ICHDET_LIBDIR / "ichdet" / plugin_name, folder / "ichdet" / plugin_name,
          plugin_name, std::filesystem::path(ICHDET_PLUGIN_FOLDER) / plugin_name};
}

[[noreturn]] void refuse(const std::string& why) { throw Error(ErrorCode::options, "OpenVINO's plug-in: " + why); }

void* open(const std::vector<std::filesystem::path>& files) {
  std::string tried;
  for (const auto& file : files) {
    if (file.has_parent_path() && !std::filesystem::exists(file)) {
      tried += (tried.empty() ? "" : ", ") + file.lexically_normal().string();
      continue;
    }
    if (void* library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE)) return library;
    const std::string why = dlerror();
    if (file.has_parent_path()) refuse(why);
    tried += (tried.empty() ? std::string() : ", ") + "the run path (" + why + ")";
  }
  refuse("not installed; looked for " + tried);
}

}  // namespace

const OpenVinoPlugin& open_openvino_plugin(const std::vector<std::filesystem::path>& files) {
  void* library = open(files);
  auto* entry = reinterpret_cast<OpenVinoEntry*>(dlsym(library, openvino_entry));
  if (entry == nullptr) refuse(dlerror());
  const auto& plugin = *entry();
  if (plugin.abi != openvino_abi || std::string(plugin.libtorch) != TORCH_VERSION) {
    const auto text = [](std::uint32_t abi, const char* libtorch) {
      return "interface " + std::to_string(abi) + " with LibTorch " + libtorch;
    };
    throw Error::mismatch(ErrorCode::options, "OpenVINO's plug-in", text(openvino_abi, TORCH_VERSION),
                          text(plugin.abi, plugin.libtorch));
  }
  return plugin;
}

Compiled compile_openvino(const std::shared_ptr<torch::jit::Graph>& graph, const CompileOptions& options) {
  static const OpenVinoPlugin& plugin = open_openvino_plugin(plugin_files());
  return plugin.compile(graph, options);
}

}  // namespace ichdet::nn
