#include <ATen/Functions.h>
#include <torch/csrc/jit/frontend/tracer.h>
#include <torch/csrc/jit/ir/ir.h>
#include <torch/csrc/jit/passes/constant_propagation.h>
#include <torch/csrc/jit/passes/dead_code_elimination.h>
#include <torch/csrc/jit/passes/inliner.h>
#include <torch/csrc/jit/passes/lower_tuples.h>
#include <torch/nn/module.h>

#include "empty_trace.hpp"
#include "engine.hpp"
#include "ichdet/core/error.hpp"
#include "weight_cache.hpp"

namespace ichdet::nn {
namespace {

/// Without requires_grad while it lives: the tracer takes no such tensor for a constant.
class Frozen {
 public:
  explicit Frozen(torch::nn::Module& module) {
    for (auto& parameter : module.parameters()) {
      if (parameter.requires_grad()) thawed_.push_back(parameter.requires_grad_(false));
    }
  }
  ~Frozen() {
    for (auto& parameter : thawed_) parameter.requires_grad_(true);
  }
  Frozen(const Frozen&) = delete;
  Frozen& operator=(const Frozen&) = delete;

 private:
  std::vector<at::Tensor> thawed_;
};

std::shared_ptr<torch::jit::Graph> trace_whole(const Forward& forward, at::IntArrayRef shape) {
  namespace jit = torch::jit;
  const auto call = [&](const jit::Stack& inputs) { return jit::Stack{forward(inputs.front().toTensor())}; };
  const auto no_name = [](const at::Tensor&) { return std::string(); };
  auto [state, outputs] = jit::tracer::trace({at::zeros(shape)}, call, no_name, /*strict=*/true,
                                             /*force_outplace=*/true);
  auto graph = state->graph;
  jit::Inline(*graph);
  jit::ConstantPropagation(graph);
  jit::LowerAllTuples(graph);
  jit::EliminateDeadCode(graph);
  return graph;
}

}  // namespace

std::shared_ptr<torch::jit::Graph> trace(torch::nn::Module& module, const Forward& forward, at::IntArrayRef shape) {
  const at::NoGradGuard no_grad;
  const Frozen frozen(module);
  const bool ours = module.name().rfind("ichdet::models::", 0) == 0;
  const auto whole = [&](at::IntArrayRef size) { return trace_whole(forward, size); };
  if (auto graph = ours ? trace_empty(whole, shape) : nullptr) return graph;
  return whole(shape);
}

std::shared_ptr<torch::jit::Graph> folded_trace(torch::nn::Module& module, const Forward& forward,
                                                at::IntArrayRef shape, const std::string& what) {
  if (module.is_training()) {
    throw Error(ErrorCode::options, what + ": " + module.name() + " is in training mode; call eval() first");
  }
  WeightCache weights;
  auto graph = trace(module, forward, shape);
  fold(*graph, weights);
  return graph;
}

}  // namespace ichdet::nn
