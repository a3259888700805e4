#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include "lower.hpp"

namespace ichdet::onnx {
namespace {

Names convolve(const Call& call, bool transposed, const std::vector<std::int64_t>& pads) {
  const auto spatial = call.sizes("weight").size() - 2;
  call.require(call.sizes("input").size() == spatial + 2, "an input without a batch axis");
  std::vector<Attribute> attributes{{"strides", call.integers("stride", spatial, 1)},
                                    {"dilations", call.integers("dilation", spatial, 1)},
                                    {"pads", pads},
                                    {"group", call.integer("groups")}};
  if (transposed) attributes.emplace_back("output_padding", call.integers("output_padding", spatial, 0));
  Names inputs{call.tensor("input"), call.tensor("weight")};
  if (call.has("bias")) inputs.push_back(call.tensor("bias"));
  return {call.graph.add(transposed ? "ConvTranspose" : "Conv", inputs, attributes)};
}

Names convolution(const Call& call) {
  return convolve(call, call.flag("transposed"), twice(call.integers("padding", call.sizes("weight").size() - 2, 0)));
}

Names transposed_convolution(const Call& call) {
  return convolve(call, true, twice(call.integers("padding", call.sizes("weight").size() - 2, 0)));
}

/// Padding "same" or "valid".
Names named_padding(const Call& call) {
  const auto kernel = call.sizes("weight");
  const auto spatial = kernel.size() - 2;
  const auto dilation = call.integers("dilation", spatial, 1);
  const bool same = call.text("padding") == "same";
  std::vector<std::int64_t> pads(2 * spatial, 0);
  for (std::size_t axis = 0; same && axis < spatial; ++axis) {
    const auto all = dilation[axis] * (kernel[axis + 2] - 1);
    pads[axis] = all / 2;
    pads[axis + spatial] = all - all / 2;
  }
  return convolve(call, false, pads);
}

/// A norm's weight or bias for each channel; `otherwise` where it has none.
Name per_channel(const Call& call, const char* argument, std::int64_t channels, double otherwise) {
  return call.has(argument) ? call.tensor(argument) : call.graph.constant(at::full({channels}, otherwise, at::kFloat));
}

Names batch_norm(const Call& call) {
  call.require(!call.flag("training"), "in training");
  const auto channels = call.sizes("input").at(1);
  return {
      call.graph.add("BatchNormalization",
                     {call.tensor("input"), per_channel(call, "weight", channels, 1),
                      per_channel(call, "bias", channels, 0), call.tensor("running_mean"), call.tensor("running_var")},
                     {{"epsilon", call.number("eps")}})};
}

Names instance_norm(const Call& call) {
  call.require(call.flag("use_input_stats"), "running statistics");
  const auto channels = call.sizes("input").at(1);
  return {call.graph.add(
      "InstanceNormalization",
      {call.tensor("input"), per_channel(call, "weight", channels, 1), per_channel(call, "bias", channels, 0)},
      {{"epsilon", call.number("eps")}})};
}

/// Each group is a channel of an instance norm; weight and bias follow.
Names group_norm(const Call& call) {
  auto& graph = call.graph;
  const auto sizes = call.sizes("input");
  const auto groups = call.integer("num_groups");
  const auto norm = graph.add("InstanceNormalization",
                              {reshaped(graph, call.tensor("input"), {sizes[0], groups, -1}),
                               graph.constant(at::ones({groups})), graph.constant(at::zeros({groups}))},
                              {{"epsilon", call.number("eps")}});
  auto y = reshaped(graph, norm, sizes);
  std::vector<std::int64_t> along(sizes.size(), 1);
  along[1] = sizes[1];
  if (call.has("weight")) y = graph.add("Mul", {y, graph.constant(call.weight("weight").reshape(along))});
  if (call.has("bias")) y = graph.add("Add", {y, graph.constant(call.weight("bias").reshape(along))});
  return {y};
}

Names layer_norm(const Call& call) {
  const auto shape = call.integers("normalized_shape");
  Names inputs{call.tensor("input"), call.has("weight") ? call.tensor("weight") : call.graph.constant(at::ones(shape))};
  if (call.has("bias")) inputs.push_back(call.tensor("bias"));
  return {call.graph.add("LayerNormalization", inputs,
                         {{"axis", -std::int64_t(shape.size())}, {"epsilon", call.number("eps")}})};
}

Names linear(const Call& call) {
  auto y = call.graph.add("MatMul", {call.tensor("input"), call.graph.constant(call.weight("weight").t())});
  if (call.has("bias")) y = call.graph.add("Add", {y, call.tensor("bias")});
  return {y};
}

Names matmul(const Call& call) {
  const char* right = call.has("mat2") ? "mat2" : "other";
  return {call.graph.add("MatMul", {call.tensor("self"), call.tensor(right)})};
}

Names addmm(const Call& call) {
  call.require(call.number("alpha") == 1 && call.number("beta") == 1, "alpha or beta other than 1");
  return {call.graph.add("Add",
                         {call.graph.add("MatMul", {call.tensor("mat1"), call.tensor("mat2")}), call.tensor("self")})};
}

/// LibTorch's gates, input forget cell output, in ONNX's order, input output forget cell.
at::Tensor gates(const at::Tensor& weight) {
  const auto parts = weight.chunk(4, 0);
  return at::cat({parts[0], parts[3], parts[1], parts[2]}, 0);
}

Names lstm(const Call& call) {
  call.require(!call.flag("train"), "in training");
  auto& graph = call.graph;
  const auto parameters = call.weights("params");
  const auto start = call.tensors("hx");
  const std::int64_t ways = call.flag("bidirectional") ? 2 : 1, layers = call.integer("num_layers");
  const std::size_t each = call.flag("has_biases") ? 4 : 2;
  const auto sizes = call.sizes("input");
  call.require(sizes.size() == 3, "an input without a batch axis");
  call.require(parameters.size() == std::size_t(layers * ways) * each, "projections");
  const bool batch_first = call.flag("batch_first");
  const auto batch = sizes[batch_first ? 0 : 1], steps = sizes[batch_first ? 1 : 0], width = parameters.at(1).size(1);

  const std::vector<Attribute> swap{{"perm", std::vector<std::int64_t>{1, 0, 2}}};
  auto x = batch_first ? graph.add("Transpose", {call.tensor("input")}, swap) : call.tensor("input");
  Names hidden, cell;
  for (std::int64_t layer = 0; layer < layers; ++layer) {
    std::vector<at::Tensor> from_input, from_state, bias;
    for (std::int64_t way = 0; way < ways; ++way) {
      const auto* p = &parameters[std::size_t(layer * ways + way) * each];
      from_input.push_back(gates(p[0]));
      from_state.push_back(gates(p[1]));
      bias.push_back(each == 4 ? at::cat({gates(p[2]), gates(p[3])}) : at::zeros({8 * width}));
    }
    const auto state = [&](const Name& all) {
      const auto at = [&](std::int64_t value) { return graph.constant(std::vector<std::int64_t>{value}); };
      return graph.add("Slice", {all, at(layer * ways), at((layer + 1) * ways), at(0)});
    };
    const auto made =
        graph.add("LSTM",
                  {x, graph.constant(at::stack(from_input)), graph.constant(at::stack(from_state)),
                   graph.constant(at::stack(bias)), "", state(start[0]), state(start[1])},
                  {{"hidden_size", width}, {"direction", std::string(ways == 2 ? "bidirectional" : "forward")}}, 3);
    // (steps, direction, batch, width) to (steps, batch, direction and width)
    const auto turned = graph.add("Transpose", {made[0]}, {{"perm", std::vector<std::int64_t>{0, 2, 1, 3}}});
    x = reshaped(graph, turned, {steps, batch, ways * width});
    hidden.push_back(made[1]);
    cell.push_back(made[2]);
  }
  const std::vector<Attribute> first{{"axis", std::int64_t(0)}};
  return {batch_first ? graph.add("Transpose", {x}, swap) : x, graph.add("Concat", hidden, first),
          graph.add("Concat", cell, first)};
}

}  // namespace

Table layers() {
  Table table{{"_convolution_mode", named_padding},
              {"batch_norm", batch_norm},
              {"instance_norm", instance_norm},
              {"group_norm", group_norm},
              {"layer_norm", layer_norm},
              {"linear", linear},
              {"addmm", addmm},
              {"lstm", lstm}};
  for (const auto* name : {"_convolution", "convolution", "conv1d", "conv2d", "conv3d"}) table[name] = convolution;
  for (const auto* name : {"conv_transpose1d", "conv_transpose2d", "conv_transpose3d"}) {
    table[name] = transposed_convolution;
  }
  for (const auto* name : {"matmul", "mm", "bmm"}) table[name] = matmul;
  return table;
}

}  // namespace ichdet::onnx
