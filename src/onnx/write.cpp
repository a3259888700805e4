#include <torch/nn/module.h>

#include <fstream>

#include "../nn/engine.hpp"
#include "../nn/graph_tools.hpp"
#include "ichdet/core/error.hpp"
#include "ichdet/core/version.hpp"
#include "ichdet/nn/onnx.hpp"
#include "lower.hpp"

namespace ichdet {
namespace onnx {

Name Call::tensor(const std::string& argument) const {
  if (const auto lowered = values_.find(value(argument)); lowered != values_.end()) return lowered->second.front();
  return graph.constant(weight(argument));
}

Names Call::tensors(const std::string& argument) const {
  if (const auto lowered = values_.find(value(argument)); lowered != values_.end()) return lowered->second;
  Names names;
  for (const auto& tensor : weights(argument)) names.push_back(graph.constant(tensor));
  return names;
}

at::Tensor Call::weight(const std::string& argument) const { return given(argument).toTensor(); }

std::vector<at::Tensor> Call::weights(const std::string& argument) const { return given(argument).toTensorVector(); }

std::vector<std::int64_t> Call::sizes(const std::string& argument) const {
  const auto found = nn::sizes(value(argument));
  if (found) return *found;
  return weight(argument).sizes().vec();
}

namespace {

constexpr std::int64_t ir_version = 8, opset = 17;
constexpr std::int64_t most_bytes = (std::int64_t(1) << 31) - (1 << 20);  // of a protocol buffer, some for the nodes

bool is_tensor(const torch::jit::Value* value) { return value->type()->cast<c10::TensorType>() != nullptr; }

/// The graph's nodes in `to`; the name of the result.
Name lower(const torch::jit::Graph& traced, const Name& input, Graph& to) {
  static const Table table = [] {
    Table all;
    for (auto family : {layers(), pointwise(), samplings(), shapes()}) all.merge(family);
    return all;
  }();
  std::map<const torch::jit::Value*, Names> values{{traced.inputs().front(), {input}}};
  for (const auto* node : traced.nodes()) {
    if (node->kind() == c10::prim::Constant) continue;  // named where it is read, as rearranged there
    if (node->kind() == c10::prim::ListConstruct) {
      if (node->inputs().empty() || !is_tensor(node->input(0))) continue;
      auto& list = values[node->output()];
      for (const auto* element : node->inputs()) {
        const auto found = values.find(element);
        list.push_back(found != values.end() ? found->second.front()
                                             : to.constant(torch::jit::toIValue(element)->toTensor()));
      }
      continue;
    }
    if (node->kind() == c10::prim::ListUnpack) {
      const auto& list = values.at(node->input());
      for (std::size_t i = 0; i < node->outputs().size(); ++i) values[node->output(i)] = {list.at(i)};
      continue;
    }
    const Call call(*node, values, to);
    const auto found = table.find(call.name());
    if (!node->kind().is_aten() || found == table.end()) call.refuse();
    auto made = found->second(call);
    if (node->outputs().size() == 1) {
      values[node->output()] = std::move(made);
    } else {
      for (std::size_t i = 0; i < node->outputs().size(); ++i) {
        if (i < made.size()) values[node->output(i)] = {made[i]};
        call.require(i < made.size() || !node->output(i)->hasUses(), "a result that ONNX does not have");
      }
    }
  }
  const auto output = values.find(traced.outputs().front());
  if (traced.outputs().size() != 1 || output == values.end() || !is_tensor(traced.outputs().front())) {
    throw Error(ErrorCode::options, "ONNX: a network's result has to be one tensor");
  }
  return output->second.front();
}

}  // namespace
}  // namespace onnx

void write_onnx(const std::filesystem::path& file, const std::shared_ptr<torch::nn::Module>& module,
                const Forward& forward, const std::vector<std::int64_t>& shape, const OnnxOptions& options) {
  const auto traced = nn::folded_trace(*module, forward, shape, "ONNX");
  onnx::Graph graph;
  const auto result = onnx::lower(*traced, options.input, graph);
  if (graph.weight_bytes() > onnx::most_bytes) {
    throw Error::mismatch(ErrorCode::limit, file.string() + ": weights", "less than 2 GB, which one ONNX file holds",
                          std::to_string(graph.weight_bytes()) + " bytes");
  }
  const auto output_shape = nn::sizes(traced->outputs().front()).value();
  onnx::Message model;
  model.integer(1, onnx::ir_version).text(2, "ichdet").text(3, version);
  model.message(7, std::move(graph).finished(options.input, shape, result, options.output, output_shape));
  model.message(8, onnx::Message().integer(2, onnx::opset));
  for (const auto& [key, value] : options.metadata) {
    model.message(14, onnx::Message().text(1, key).text(2, value));
  }
  std::ofstream stream(file, std::ios::binary);
  stream.write(model.bytes().data(), std::streamsize(model.bytes().size()));
  stream.close();
  if (!stream) throw Error(ErrorCode::io, file.string() + ": cannot be written");
}

}  // namespace ichdet
