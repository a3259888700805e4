#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "ichdet/nn/prepare.hpp"

namespace torch::jit {
struct Graph;
}

// What lies between prepare and the engines.
namespace ichdet::nn {

class WeightCache;

/// A network made ready for inputs of one shape. May be called from several threads at once.
struct Compiled {
  std::function<at::Tensor(const at::Tensor&)> run;
  std::int64_t activation_bytes = 0;  ///< held during a call, beside input, output and weights
  std::string form = "traced graph";  ///< in words
};

struct CompileOptions {
  Precision precision = Precision::float32;  ///< float32 or bfloat16
  int threads = 0;
  std::string device = "cpu";
  std::filesystem::path cache_folder;
  bool amx = true;   ///< false: the native engine as on a CPU without it
  bool fuse = true;  ///< false: plain aten alone, as where the fused operators are not found
};

/// The operators that `forward` runs on an input of this shape: aten alone, one tensor in, one out, shapes known, the
/// weights as constants that share the module's memory. `module`'s parameters lose requires_grad while it runs. Costs
/// one plain forward; milliseconds where a trace of no samples does (trace_empty), of ichdet's own networks. There
/// `forward` must not look at the number of samples.
std::shared_ptr<torch::jit::Graph> trace(torch::nn::Module& module, const Forward& forward, at::IntArrayRef shape);

/// Batch norm, in evaluation, into the convolution or linear layer before it, in place. Folded weights come from
/// `weights`, so that graphs of other shapes share them.
void fold(torch::jit::Graph& graph, WeightCache& weights);

/// Both, for a file of the kind `what`. Throws Error(options) for a module in training mode.
std::shared_ptr<torch::jit::Graph> folded_trace(torch::nn::Module& module, const Forward& forward,
                                                at::IntArrayRef shape, const std::string& what);

/// LibTorch: fused oneDNN operators where their schemas are found, plain aten for all else.
Compiled compile_torch(const std::shared_ptr<torch::jit::Graph>& graph, const CompileOptions& options,
                       WeightCache& weights);

/// ichdet's own kernels, on the CPU's AMX or AVX-512; each image or volume by itself, from a graph that was traced with
/// one. Throws Error(options) whose message says what is missing: AVX-512, or a kernel for an operator.
Compiled compile_native(const std::shared_ptr<torch::jit::Graph>& graph, const CompileOptions& options,
                        std::shared_ptr<Workspace> workspace = nullptr);

/// OpenVINO, through the plug-in. Throws Error(options) whose message says what is missing: the plug-in, or an
/// operator.
Compiled compile_openvino(const std::shared_ptr<torch::jit::Graph>& graph, const CompileOptions& options);

}  // namespace ichdet::nn
