#include "lower.hpp"

#include <torch/csrc/jit/ir/constants.h>

#include <openvino/core/except.hpp>
#include <openvino/op/parameter.hpp>
#include <openvino/op/result.hpp>

#include "ichdet/core/error.hpp"

namespace ichdet::openvino {
namespace {

Table everything() {
  Table table;
  for (auto family : {convolutions(), norms(), activations(), poolings(), resizings(), shapes(), arithmetic(),
                      products(), recurrences()}) {
    table.merge(family);
  }
  return table;
}

/// What a lowering made has to have the shape that was traced: better no engine than another result.
void check(const Call& call, const torch::jit::Node& node, const Values& values) {
  if (node.output(0)->type()->cast<c10::ListType>() != nullptr) return;
  for (std::size_t i = 0; i < node.outputs().size(); ++i) {
    if (i >= values.size()) {
      call.require(!node.output(i)->hasUses(), "a result that OpenVINO does not have");
      continue;
    }
    const auto traced = call.result_sizes(i);
    const auto shape = values[i].get_partial_shape();
    if (shape != ov::PartialShape(std::vector<ov::Dimension>(traced.begin(), traced.end()))) {
      call.refuse("a result would be " + shape.to_string() + " instead of " + c10::str(traced));
    }
  }
}

}  // namespace

std::shared_ptr<ov::Model> lower(const torch::jit::Graph& graph, bool exact) {
  static const Table table = everything();
  const auto* input = graph.inputs().front();
  const auto sizes = input->type()->expectRef<c10::TensorType>().sizes().concrete_sizes().value();
  const auto parameter = std::make_shared<ov::op::v0::Parameter>(
      ov::element::f32, ov::PartialShape(std::vector<ov::Dimension>(sizes.begin(), sizes.end())));
  std::map<const torch::jit::Value*, Values> values{{input, {parameter}}};
  const auto is_tensor = [](const torch::jit::Value* value) {
    return value->type()->cast<c10::TensorType>() != nullptr;
  };

  for (const auto* node : graph.nodes()) {
    if (node->kind() == c10::prim::Constant) {
      const auto value = torch::jit::toIValue(node->output());
      if (value && value->isTensor() && value->toTensor().defined() && is_tensor(node->output())) {
        values[node->output()] = {constant(value->toTensor())};
      }
      continue;
    }
    const Call call(*node, values, exact);
    if (node->kind() == c10::prim::ListConstruct) {
      if (node->inputs().empty() || !is_tensor(node->input(0))) continue;
      auto& list = values[node->output()];
      for (const auto* element : node->inputs()) list.push_back(values.at(element).front());
      continue;
    }
    if (node->kind() == c10::prim::ListUnpack) {
      const auto& list = values.at(node->input());
      for (std::size_t i = 0; i < node->outputs().size(); ++i) values[node->output(i)] = {list.at(i)};
      continue;
    }
    const auto found = table.find(call.name());
    if (!node->kind().is_aten() || found == table.end()) call.refuse();
    Values made;
    try {
      made = found->second(call);
    } catch (const ov::Exception& e) {
      call.refuse(e.what());
    }
    check(call, *node, made);
    if (node->outputs().size() == 1) {
      values[node->output()] = made;
    } else {
      for (std::size_t i = 0; i < made.size(); ++i) values[node->output(i)] = {made[i]};
    }
  }

  const auto output = values.find(graph.outputs().front());
  if (graph.outputs().size() != 1 || output == values.end() || !is_tensor(graph.outputs().front()) ||
      output->second.front().get_element_type() != ov::element::f32) {
    throw Error(ErrorCode::options, "OpenVINO: a network's result has to be one float32 tensor");
  }
  return std::make_shared<ov::Model>(ov::ResultVector{std::make_shared<ov::op::v0::Result>(output->second.front())},
                                     ov::ParameterVector{parameter}, "ichdet");
}

}  // namespace ichdet::openvino
