#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ichdet/nn/prepare.hpp"

namespace ichdet {

struct OnnxOptions {
  std::string input = "input", output = "logits";  ///< names of the tensors
  std::map<std::string, std::string> metadata;     ///< kept in the file's metadata_props
};

/// Writes a network as ONNX (opset 17, float32) for inputs of one shape: traced as `prepare` traces it, batch norm
/// folded into the convolutions. ONNX Runtime and OpenVINO read it. `module` has to be in evaluation mode.
///
/// Throws Error(options) that names the operator which has no counterpart, or for a module in training mode;
/// Error(limit) where the weights need more than the 2 GB that one such file can hold; Error(io).
void write_onnx(const std::filesystem::path& file, const std::shared_ptr<torch::nn::Module>& module,
                const Forward& forward, const std::vector<std::int64_t>& shape, const OnnxOptions& options = {});

}  // namespace ichdet
