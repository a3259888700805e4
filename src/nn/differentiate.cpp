#include "differentiate.hpp"

#include <ATen/Functions.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/jit/passes/constant_propagation.h>
#include <torch/csrc/jit/passes/dead_code_elimination.h>

#include <set>

#include "derivatives.hpp"
#include "graph_tools.hpp"
#include "ichdet/core/error.hpp"

namespace ichdet::nn {

using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Value;

void differentiate(Graph& graph, WeightCache& weights) {
  const at::NoGradGuard no_grad;
  auto *input = graph.inputs().front(), *output = graph.outputs().front();
  std::set<const Value*> varying{input};
  std::vector<Node*> nodes;
  for (auto* node : graph.nodes()) {
    const auto* schema = node->maybeSchema();
    if (schema != nullptr && schema->is_mutable()) {
      throw Error(ErrorCode::options, std::string("gradient: ") + node->kind().toQualString() + " writes to its input");
    }
    const bool varies = std::any_of(node->inputs().begin(), node->inputs().end(),
                                    [&](const Value* value) { return varying.contains(value); });
    if (!varies) continue;
    nodes.push_back(node);
    for (const auto* result : node->outputs()) varying.insert(result);
  }
  const auto size = sizes(output);
  if (!varying.contains(output) || !size)
    throw Error(ErrorCode::shape, "gradient: the score does not depend on the input");

  const torch::jit::WithInsertPoint at_the_end(graph.block());
  Derivatives derivatives(graph, weights, std::move(varying));
  derivatives.add(output, graph.insertConstant(at::ones(*size)));
  for (auto node = nodes.rbegin(); node != nodes.rend(); ++node) derivatives.pass(*node);
  auto* gradient = derivatives.of(input);
  if (gradient == nullptr) throw Error(ErrorCode::shape, "gradient: the score does not depend on the input");
  graph.eraseOutput(0);
  graph.registerOutput(gradient);
  torch::jit::EliminateDeadCode(graph.block());
  auto shared = graph.shared_from_this();
  torch::jit::ConstantPropagation(shared);
  torch::jit::EliminateDeadCode(graph.block());
}

}  // namespace ichdet::nn
