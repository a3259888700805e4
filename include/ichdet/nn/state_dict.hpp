#pragma once

#include "ichdet/bundle/safetensors.hpp"

namespace torch::nn {
class Module;
}

namespace ichdet {

/// Copies a file's tensors into a module's parameters and buffers of the same names. Denormal values become 0.
///
/// Throws Error(weights) that names the file and lists what is missing, unexpected and of another shape; the module is
/// then unchanged.
void load_state_dict(torch::nn::Module& module, const SafeTensors& weights);

}  // namespace ichdet
