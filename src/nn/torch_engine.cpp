#include <ATen/Functions.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/ir/ir.h>

#include "engine.hpp"

namespace ichdet::nn {
namespace {

/// One operator of the graph: where its arguments are read and its results are written.
struct Step {
  torch::jit::Operation operation;
  std::vector<std::size_t> inputs, outputs;
};

}  // namespace

Compiled compile_torch(const std::shared_ptr<torch::jit::Graph>& graph, const CompileOptions&, WeightCache&) {
  std::map<const torch::jit::Value*, std::size_t> places;
  const auto place = [&](const torch::jit::Value* value) { return places.emplace(value, places.size()).first->second; };
  std::vector<std::pair<std::size_t, c10::IValue>> constants;
  std::vector<Step> steps;
  const auto input = place(graph->inputs().front());
  for (auto* node : graph->nodes()) {
    if (auto constant = torch::jit::toIValue(node->output(0)); node->outputs().size() == 1 && constant) {
      constants.emplace_back(place(node->output()), *constant);
      continue;
    }
    Step step{node->getOperation(), {}, {}};
    for (const auto* value : node->inputs()) step.inputs.push_back(place(value));
    for (const auto* value : node->outputs()) step.outputs.push_back(place(value));
    steps.push_back(std::move(step));
  }
  const auto output = place(graph->outputs().front());
  const auto run = [=, count = places.size()](const at::Tensor& x) {
    std::vector<c10::IValue> values(count);
    values[input] = x;
    for (const auto& [at, value] : constants) values[at] = value;
    for (const auto& step : steps) {
      torch::jit::Stack stack;
      for (const auto i : step.inputs) stack.push_back(values[i]);
      auto operation = step.operation;  // its call is not const
      operation(stack);
      for (std::size_t i = 0; i < step.outputs.size(); ++i) values[step.outputs[i]] = std::move(stack[i]);
    }
    return values[output].toTensor();
  };
  return {run, 0};
}

}  // namespace ichdet::nn
