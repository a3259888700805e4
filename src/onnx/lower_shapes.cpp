#include <ATen/Functions.h>

#include <limits>
#include <numeric>

#include "lower.hpp"

namespace ichdet::onnx {

Name reshaped(Graph& graph, const Name& x, const std::vector<std::int64_t>& sizes) {
  return graph.add("Reshape", {x, graph.constant(sizes)});
}

namespace {

std::int64_t rank(const Call& call) { return std::int64_t(call.sizes("self").size()); }

Names as_it_is(const Call& call) { return {call.tensor("self")}; }

/// Dropout, in evaluation.
Names dropout(const Call& call) {
  call.require(!call.flag("train"), "in training");
  return {call.tensor("input")};
}

Names converted(const Call& call) {
  return {call.graph.add("Cast", {call.tensor("self")}, {{"to", data_type(call.result_type())}})};
}

/// Everything that keeps the order of the elements: the traced result says the shape.
Names to_result(const Call& call) { return {reshaped(call.graph, call.tensor("self"), call.result_sizes())}; }

Names expanded(const Call& call) {
  return {call.graph.add("Expand", {call.tensor("self"), call.graph.constant(call.result_sizes())})};
}

Names repeated(const Call& call) {
  const auto repeats = call.integers("repeats");
  call.require(std::int64_t(repeats.size()) == rank(call), "more axes than the tensor has");
  return {call.graph.add("Tile", {call.tensor("self"), call.graph.constant(repeats)})};
}

Names filled(const Call& call, double number) {
  return {call.graph.constant(at::full(call.result_sizes(), number, call.result_type()))};
}
Names zeros(const Call& call) { return filled(call, 0); }
Names ones(const Call& call) { return filled(call, 1); }
Names full(const Call& call) { return filled(call, call.number(call.has("value") ? "value" : "fill_value")); }

Names permuted(const Call& call) {
  auto order = call.integers("dims");
  for (auto& axis : order) axis += axis < 0 ? rank(call) : 0;
  return {call.graph.add("Transpose", {call.tensor("self")}, {{"perm", order}})};
}

Name swap_axes(const Call& call, std::int64_t a, std::int64_t b) {
  std::vector<std::int64_t> order(std::size_t(rank(call)));
  std::iota(order.begin(), order.end(), 0);
  std::swap(order.at(std::size_t(a)), order.at(std::size_t(b)));
  return call.graph.add("Transpose", {call.tensor("self")}, {{"perm", order}});
}

Names transposed(const Call& call) {
  return {swap_axes(call, call.dim("dim0", rank(call)), call.dim("dim1", rank(call)))};
}
Names matrix_transposed(const Call& call) { return rank(call) < 2 ? as_it_is(call) : Names{swap_axes(call, 0, 1)}; }

Name sliced(const Call& call, std::int64_t axis, std::int64_t begin, std::int64_t end, std::int64_t step = 1) {
  const auto one = [&](std::int64_t value) { return call.graph.constant(std::vector<std::int64_t>{value}); };
  return call.graph.add("Slice", {call.tensor("self"), one(begin), one(end), one(axis), one(step)});
}

/// slice and narrow
Names range(const Call& call) {
  const auto axis = call.dim("dim", rank(call));
  const auto [first, end] = call.range(call.sizes("self").at(std::size_t(axis)));
  return {sliced(call, axis, first, end, call.has("step") ? call.integer("step") : 1)};
}

Names select(const Call& call) {
  const auto axis = call.dim("dim", rank(call));
  auto index = call.integer("index");
  if (index < 0) index += call.sizes("self").at(std::size_t(axis));
  return {reshaped(call.graph, sliced(call, axis, index, index + 1), call.result_sizes())};
}

Names flipped(const Call& call) {
  auto axes = call.integers("dims");
  for (auto& axis : axes) axis += axis < 0 ? rank(call) : 0;
  const auto all = [&](std::int64_t value) {
    return call.graph.constant(std::vector<std::int64_t>(axes.size(), value));
  };
  return {call.graph.add("Slice", {call.tensor("self"), all(-1), all(std::numeric_limits<std::int64_t>::min()),
                                   call.graph.constant(axes), all(-1)})};
}

Names concatenated(const Call& call) {
  return {call.graph.add("Concat", call.tensors("tensors"),
                         {{"axis", call.dim("dim", std::int64_t(call.result_sizes().size()))}})};
}

Names stacked(const Call& call) {
  const auto axis = call.dim("dim", std::int64_t(call.result_sizes().size()));
  auto layer = call.result_sizes();
  layer[std::size_t(axis)] = 1;
  Names layers;
  for (const auto& tensor : call.tensors("tensors")) layers.push_back(reshaped(call.graph, tensor, layer));
  return {call.graph.add("Concat", layers, {{"axis", axis}})};
}

/// split, split_with_sizes and chunk
Names split(const Call& call) {
  const auto axis = call.dim("dim", rank(call));
  Names pieces;
  std::int64_t first = 0;
  for (const auto length : call.piece_lengths(call.sizes("self").at(std::size_t(axis)))) {
    pieces.push_back(sliced(call, axis, first, first + length));
    first += length;
  }
  return pieces;
}

Names unbind(const Call& call) {
  const auto axis = call.dim("dim", rank(call));
  auto layer = call.sizes("self");
  layer.erase(layer.begin() + axis);
  auto layers = split(call);
  for (auto& one : layers) one = reshaped(call.graph, one, layer);
  return layers;
}

}  // namespace

Table shapes() {
  Table table{{"to", converted},
              {"type_as", converted},
              {"_to_copy", converted},
              {"repeat", repeated},
              {"permute", permuted},
              {"transpose", transposed},
              {"t", matrix_transposed},
              {"numpy_T", matrix_transposed},
              {"slice", range},
              {"narrow", range},
              {"select", select},
              {"flip", flipped},
              {"cat", concatenated},
              {"concat", concatenated},
              {"stack", stacked},
              {"split", split},
              {"split_with_sizes", split},
              {"chunk", split},
              {"unbind", unbind},
              {"full", full},
              {"full_like", full},
              {"fill", full}};
  for (const auto* name : {"dropout", "feature_dropout", "alpha_dropout"}) table[name] = dropout;
  for (const auto* name : {"contiguous", "clone", "detach", "alias"}) table[name] = as_it_is;
  for (const auto* name : {"expand", "expand_as", "broadcast_to"}) table[name] = expanded;
  for (const auto* name : {"zeros", "zeros_like", "new_zeros", "empty_like"}) table[name] = zeros;
  for (const auto* name : {"ones", "ones_like", "new_ones"}) table[name] = ones;
  for (const auto* name :
       {"view", "reshape", "flatten", "unflatten", "squeeze", "unsqueeze", "view_as", "reshape_as"}) {
    table[name] = to_result;
  }
  return table;
}

}  // namespace ichdet::onnx
