#include "ichdet/pipeline/export.hpp"

#include <fstream>
#include <sstream>

#include "ichdet/bundle/script.hpp"
#include "ichdet/bundle/staging.hpp"
#include "ichdet/core/error.hpp"
#include "ichdet/models/load.hpp"
#include "ichdet/nn/network.hpp"
#include "ichdet/nn/onnx.hpp"
#include "ichdet/nn/torchscript.hpp"

namespace ichdet {
namespace {

namespace fs = std::filesystem;

std::string text_of(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

}  // namespace

std::string to_string(ExportFormat format) { return format == ExportFormat::onnx ? "onnx" : "torch-export"; }

ExportFormat parse_export_format(const std::string& text) {
  for (const auto format : {ExportFormat::onnx, ExportFormat::torch_export}) {
    if (text == to_string(format)) return format;
  }
  throw Error::mismatch(ErrorCode::options, "format", "onnx or torch-export", text);
}

std::vector<std::int64_t> input_shape(const ModelSpec& model, std::int64_t batch) {
  const auto channels = std::int64_t(model.channels.size());
  if (model.task == Task::segmentation || model.task == Task::brain_extraction) {
    const auto& [z, y, x] = model.patch.input;
    if (model.axes == AxisOrder::xyz) return {batch, channels, x, y, z};
    return {batch, channels, z, y, x};
  }
  const auto [rows, columns] = model.image.size;
  if (model.task == Task::exam_classification) return {batch, model.image.exam_slices, channels, rows, columns};
  return {batch, channels, rows, columns};
}

std::vector<std::int64_t> export_network(const Bundle& bundle, const fs::path& file, const ExportOptions& options,
                                         const Progress& progress) {
  if (options.batch < 1) {
    throw Error::mismatch(ErrorCode::options, "export: batch", "1 or more", std::to_string(options.batch));
  }
  const auto shape = input_shape(bundle.spec, options.batch);
  const auto network = models::load(bundle);
  const Forward forward = [network](const at::Tensor& x) { return network->forward(x); };
  if (options.format == ExportFormat::onnx) {
    write_onnx(file, network, forward, shape,
               {.metadata = {{"ichdet.bundle", text_of(bundle.folder / "bundle.json")}}});
    return shape;
  }
  const Staging staging(fs::temp_directory_path(), "ichdet-export-", "the folder of temporary files");
  const auto traced = staging.folder() / "network.pt";
  write_torchscript(traced, network, forward, shape);
  std::vector<std::string> arguments{traced.string(), file.string()};
  for (const auto size : shape) arguments.push_back(std::to_string(size));
  run_script({"torch_export", arguments, file.string() + ": a Python with torch is needed to write such files",
              "export", options.python},
             staging.folder(), file, progress);
  return shape;
}

}  // namespace ichdet
