#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "ichdet/bundle/safetensors.hpp"

namespace torch::nn {
class Module;
}

namespace ichdet {

/// Named tensors on the CPU.
struct StateDict {
  std::string source;  ///< their file, for messages
  std::map<std::string, at::Tensor> tensors;
  std::vector<std::string> notes;  ///< what was done to read them, in words
};

/// Reads a .safetensors file, or a state dict that torch.save wrote (PyTorch 1.6 or newer), by its content: a dict of
/// tensors, or one under "state_dict", "model_state_dict" or "model". Where all names start with "module.", as
/// DataParallel's do, that is dropped.
///
/// Nothing in the file is executed: of pickle, only what builds dicts, lists, tuples, numbers, text and tensors is
/// known. Throws Error(weights) naming the file, and what in it is damaged, or not known; Error(io) where it cannot be
/// read.
StateDict read_state_dict(const std::filesystem::path& file);
StateDict to_state_dict(const SafeTensors& weights);

/// Writes parameters and buffers as a .safetensors file: whole numbers as int64, tensors of two or more dimensions as
/// `dtype`, f32, bf16 or f16, the others, which are small, as f32. Throws Error(io), Error(options) for another type.
void save_state_dict(const torch::nn::Module& module, const std::filesystem::path& file, DType dtype = DType::f32);

/// Copies tensors into a module's parameters and buffers of the same names. Denormal values become 0. Batch norm's
/// `num_batches_tracked` may be missing.
///
/// Throws Error(weights) that names the source and lists what is missing, unexpected and of another shape; the module
/// is then unchanged.
void load_state_dict(torch::nn::Module& module, const StateDict& weights);
void load_state_dict(torch::nn::Module& module, const SafeTensors& weights);

}  // namespace ichdet
