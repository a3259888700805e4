#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <vector>

#include "ichdet/nn/prepare.hpp"

namespace ichdet {

/// Writes a network as TorchScript for inputs of one shape: traced as `prepare` traces it, batch norm folded into the
/// convolutions, weights inside. torch.jit.load reads it. `module` has to be in evaluation mode.
/// Throws Error(options) for a module in training mode; Error(io).
void write_torchscript(const std::filesystem::path& file, const std::shared_ptr<torch::nn::Module>& module,
                       const Forward& forward, const std::vector<std::int64_t>& shape);

}  // namespace ichdet
