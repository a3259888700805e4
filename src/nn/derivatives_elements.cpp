#include <ATen/Functions.h>

#include <algorithm>

#include "derivatives.hpp"
#include "graph_tools.hpp"
#include "ichdet/core/error.hpp"

namespace ichdet::nn {
namespace {

[[noreturn]] void refuse(const torch::jit::Node* node, const char* what) {
  throw Error(ErrorCode::options, std::string("gradient: no rule for ") + node->kind().toQualString() + " " + what);
}

c10::IValue given(const torch::jit::Node* node, std::size_t i) {
  auto value = constant(node->input(i));
  if (!value) refuse(node, "with computed arguments");
  return *value;
}

std::int64_t wrapped(std::int64_t axis, std::size_t axes) { return axis < 0 ? axis + std::int64_t(axes) : axis; }

std::string backward(const torch::jit::Node* node) { return std::string(node->kind().toQualString()) + "_backward"; }

}  // namespace

void Derivatives::by_result(Node* node, Value* gradient) {
  add(node->input(0), emit(backward(node).c_str(), {gradient, node->output()}, *sizes(node->input(0))));
}

void Derivatives::by_input(Node* node, Value* gradient) {
  std::vector<Value*> inputs(node->inputs().begin(), node->inputs().end());
  inputs.insert(inputs.begin(), gradient);
  add(node->input(0), emit(backward(node).c_str(), inputs, *sizes(node->input(0))));
}

void Derivatives::relu(Node* node, Value* gradient) {
  add(node->input(0), emit("aten::threshold_backward", {gradient, node->output(), number(0)}, *sizes(node->input(0))));
}

void Derivatives::leaky_relu(Node* node, Value* gradient) {
  add(node->input(0), emit("aten::leaky_relu_backward", {gradient, node->input(0), node->input(1), number(false)},
                           *sizes(node->input(0))));
}

void Derivatives::hardtanh(Node* node, Value* gradient) {
  add(node->input(0), emit("aten::hardtanh_backward", {gradient, node->input(0), node->input(1), node->input(2)},
                           *sizes(node->input(0))));
}

void Derivatives::softmax(Node* node, Value* gradient) {
  const char* kind = is(node, "aten::softmax") ? "aten::_softmax_backward_data" : "aten::_log_softmax_backward_data";
  add(node->input(0),
      emit(kind, {gradient, node->output(), node->input(1), number(std::int64_t(at::kFloat))}, *sizes(node->input(0))));
}

void Derivatives::sum_of_two(Node* node, Value* gradient) {
  if (varies(node->input(0))) add(node->input(0), shrunk(gradient, *sizes(node->input(0))));
  if (!varies(node->input(1))) return;
  auto factor = given(node, 2).toScalar().toDouble();
  if (is(node, "aten::sub")) factor = -factor;
  auto* second = factor == 1 ? gradient : emit("aten::mul", {gradient, number(factor)}, *sizes(gradient));
  add(node->input(1), shrunk(second, *sizes(node->input(1))));
}

void Derivatives::product(Node* node, Value* gradient) {
  const auto to = *sizes(node->output());
  for (const std::size_t i : {0, 1}) {
    if (!varies(node->input(i))) continue;
    add(node->input(i), shrunk(emit("aten::mul", {gradient, node->input(1 - i)}, to), *sizes(node->input(i))));
  }
}

void Derivatives::quotient(Node* node, Value* gradient) {
  if (varies(node->input(1)) || node->inputs().size() != 2) refuse(node, "by what depends on the input");
  add(node->input(0),
      shrunk(emit("aten::div", {gradient, node->input(1)}, *sizes(node->output())), *sizes(node->input(0))));
}

void Derivatives::mean(Node* node, Value* gradient) {
  const auto from = *sizes(node->input(0)), to = *sizes(node->output());
  const auto count = [](const Sizes& size) {
    std::int64_t values = 1;
    for (const auto n : size) values *= n;
    return double(values);
  };
  auto* share = emit("aten::mul", {gradient, number(count(to) / count(from))}, to);
  sum(node, share);
}

void Derivatives::sum(Node* node, Value* gradient) {
  const auto from = *sizes(node->input(0));
  auto kept = from;
  const auto axes = constant(node->input(1));
  if (axes && axes->isIntList() && !axes->toIntVector().empty()) {
    for (const auto axis : axes->toIntVector()) kept[std::size_t(wrapped(axis, from.size()))] = 1;
  } else {
    std::fill(kept.begin(), kept.end(), 1);
  }
  add(node->input(0), spread(reshaped(gradient, kept), from));
}

void Derivatives::cat(Node* node, Value* gradient) {
  if (node->input(0)->node()->kind() != torch::jit::prim::ListConstruct) refuse(node, "of a computed list");
  const auto axis = wrapped(given(node, 1).toInt(), sizes(node->output())->size());
  std::int64_t first = 0;
  for (auto* part : node->input(0)->node()->inputs()) {
    const auto size = *sizes(part);
    const auto next = first + size[std::size_t(axis)];
    if (varies(part)) {
      add(part, emit("aten::slice", {gradient, number(axis), number(first), number(next), number(1)}, size));
    }
    first = next;
  }
}

void Derivatives::shape(Node* node, Value* gradient) {
  add(node->input(0), reshaped(gradient, *sizes(node->input(0))));
}

void Derivatives::expand(Node* node, Value* gradient) { add(node->input(0), shrunk(gradient, *sizes(node->input(0)))); }

void Derivatives::permute(Node* node, Value* gradient) {
  const auto axes = given(node, 1).toIntVector();
  Sizes back(axes.size());
  for (std::size_t i = 0; i < axes.size(); ++i) back[std::size_t(wrapped(axes[i], axes.size()))] = std::int64_t(i);
  add(node->input(0), emit("aten::permute", {gradient, number(back)}, *sizes(node->input(0))));
}

void Derivatives::slice(Node* node, Value* gradient) {
  const auto from = *sizes(node->input(0)), to = *sizes(node->output());
  const auto axis = std::size_t(wrapped(given(node, 1).toInt(), from.size()));
  const auto start = given(node, 2), step = given(node, 4);
  if (step.toInt() != 1) refuse(node, "with steps");
  auto first = start.isNone() ? 0 : start.toInt();
  first = std::clamp<std::int64_t>(first < 0 ? first + from[axis] : first, 0, from[axis]);
  Sizes pads(2 * from.size(), 0);
  pads[2 * (from.size() - 1 - axis)] = first;
  pads[2 * (from.size() - 1 - axis) + 1] = from[axis] - first - to[axis];
  add(node->input(0), emit("aten::constant_pad_nd", {gradient, number(pads), number(0)}, from));
}

void Derivatives::select(Node* node, Value* gradient) {
  const auto from = *sizes(node->input(0));
  const auto axis = std::size_t(wrapped(given(node, 1).toInt(), from.size()));
  const auto index = wrapped(given(node, 2).toInt(), std::size_t(from[axis]));
  auto kept = from;
  kept[axis] = 1;
  Sizes pads(2 * from.size(), 0);
  pads[2 * (from.size() - 1 - axis)] = index;
  pads[2 * (from.size() - 1 - axis) + 1] = from[axis] - 1 - index;
  add(node->input(0), emit("aten::constant_pad_nd", {reshaped(gradient, kept), number(pads), number(0)}, from));
}

void Derivatives::padding(Node* node, Value* gradient) {
  auto pads = given(node, 1).toIntVector();
  for (auto& pad : pads) pad = -pad;
  add(node->input(0), emit("aten::constant_pad_nd", {gradient, number(pads), number(0)}, *sizes(node->input(0))));
}

}  // namespace ichdet::nn
