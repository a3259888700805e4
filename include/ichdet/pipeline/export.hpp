#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "ichdet/bundle/bundle.hpp"
#include "ichdet/core/progress.hpp"

namespace ichdet {

enum class ExportFormat {
  onnx,          ///< opset 17: ONNX Runtime, OpenVINO and others
  torch_export,  ///< .pt2, torch.export's ExportedProgram; written by a Python with torch (ScriptCall)
};

/// "onnx", "torch-export".
std::string to_string(ExportFormat format);
/// Throws Error(options) that lists the names there are.
ExportFormat parse_export_format(const std::string& text);

/// What a model's network reads: (batch, channel, row, column) of classifiers and slice segmenters, (batch, slice,
/// channel, row, column) of exam classifiers, (batch, channel, and the patch's axes in the network's order) of
/// segmenters.
std::vector<std::int64_t> input_shape(const ModelSpec& model, std::int64_t batch = 1);

struct ExportOptions {
  ExportFormat format = ExportFormat::onnx;
  std::int64_t batch = 1;  ///< inputs at a time: files are of one shape
  std::string python;      ///< of torch_export: which one runs; empty: as ScriptCall
};

/// Writes a bundle's network, windowed HU in and logits out, for programs without ichdet; batch norm is folded into the
/// convolutions. Names, classes, windows and all else that `bundle.json` says stand in ONNX's metadata under
/// "ichdet.bundle"; what comes before and after the network is the reader's own to do.
///
/// Returns the input's shape. Throws Error(options) for an operator that has no counterpart, Error(limit), Error(io),
/// and of torch_export Error(weights) as run_script does.
std::vector<std::int64_t> export_network(const Bundle& bundle, const std::filesystem::path& file,
                                         const ExportOptions& options = {}, const Progress& progress = {});

}  // namespace ichdet
