#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "engine.hpp"

// The plug-in's one symbol, and how it is found. OpenVINO lies in a library of its own, opened when first asked for, so
// that ichdet works where it is not installed.
namespace ichdet::nn {

/// What the plug-in and ichdet have to agree on. The first number grows with any change to OpenVinoPlugin, Compiled or
/// CompileOptions; sizes tell most of those that were forgotten.
inline constexpr std::uint32_t openvino_abi = 1'000'000 + 1000 * sizeof(Compiled) + sizeof(CompileOptions);

struct OpenVinoPlugin {
  std::uint32_t abi;
  const char* libtorch;  ///< version of the LibTorch that the plug-in was built with
  Compiled (*compile)(const std::shared_ptr<torch::jit::Graph>& graph, const CompileOptions& options);
};

/// Signature and name of the function that the plug-in exports.
using OpenVinoEntry = const OpenVinoPlugin*();
inline constexpr const char* openvino_entry = "ichdet_openvino_plugin";

/// Opens the first of these files that there is; a name without a folder is looked up by the dynamic linker. Throws
/// Error(options) that says why none could be used. What was opened stays open.
const OpenVinoPlugin& open_openvino_plugin(const std::vector<std::filesystem::path>& files);

}  // namespace ichdet::nn
