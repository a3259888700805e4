#include "small_trace.hpp"

#include <ATen/Functions.h>
#include <torch/csrc/jit/ir/ir.h>

#include <exception>
#include <map>
#include <optional>
#include <vector>

#include "graph_tools.hpp"

namespace ichdet::nn {
namespace {

using torch::jit::Node;
using torch::jit::Value;
using Sizes = std::vector<std::int64_t>;

constexpr std::int64_t small = 32;  // voxels along an axis: deep networks halve it five times

/// Two small volumes whose axes divide the large one's; nothing where it is small itself.
std::optional<std::pair<Sizes, Sizes>> small_shapes(at::IntArrayRef shape) {
  if (shape.size() != 5) return std::nullopt;
  Sizes first = shape.vec(), second = first;
  for (std::size_t axis = 2; axis < shape.size(); ++axis) {
    auto length = small;
    while (length < shape[axis] && shape[axis] % length != 0) ++length;
    if (2 * length > shape[axis]) continue;
    first[axis] = length;
    second[axis] = 2 * length;
  }
  if (first == shape || 4 * c10::multiply_integers(second) > 3 * c10::multiply_integers(shape)) return std::nullopt;
  return std::pair(first, second);
}

bool same_constant(const c10::IValue& a, const c10::IValue& b) {
  if (a.isTensor() && b.isTensor()) {
    const auto &x = a.toTensor(), &y = b.toTensor();
    if (x.defined() != y.defined()) return false;
    return !x.defined() || x.is_same(y) || (x.scalar_type() == y.scalar_type() && at::equal(x, y));
  }
  return a.tagKind() == b.tagKind() && a == b;
}

/// What grows with the volume, for the large one; nothing where that does not follow.
std::optional<Sizes> extrapolate(const Sizes& first, const Sizes& second, const std::pair<Sizes, Sizes>& inputs,
                                 at::IntArrayRef shape) {
  if (first.size() != second.size()) return std::nullopt;
  if (first.size() != shape.size()) return first == second ? std::optional(first) : std::nullopt;
  Sizes size = first;
  for (std::size_t axis = 0; axis < size.size(); ++axis) {
    const auto grown = second[axis] - first[axis], step = inputs.second[axis] - inputs.first[axis];
    if (grown == 0) continue;
    if (step == 0) return std::nullopt;
    const auto growth = grown * (shape[axis] - inputs.first[axis]);
    if (growth % step != 0) return std::nullopt;
    size[axis] += growth / step;
  }
  return size;
}

/// What a window makes of an axis.
std::int64_t windowed(std::int64_t length, std::int64_t kernel, std::int64_t stride, std::int64_t padding,
                      std::int64_t dilation) {
  return (length + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1;
}

Sizes list(const Node* node, std::size_t i) { return constant(node->input(i))->toIntVector(); }

/// Whether it is an operator whose result's size is known, and that the sizes say.
bool agrees(const Node* node) {
  static const char* const same[] = {"aten::leaky_relu", "aten::relu",    "aten::elu",        "aten::gelu",
                                     "aten::silu",       "aten::sigmoid", "aten::hardtanh",   "aten::instance_norm",
                                     "aten::batch_norm", "aten::dropout", "aten::contiguous", "aten::feature_dropout"};
  if (node->kind() == torch::jit::prim::Constant || node->kind() == torch::jit::prim::ListConstruct) return true;
  if (node->outputs().size() != 1 || !node->blocks().empty()) return false;
  const auto out = sizes(node->output()), in = node->inputs().empty() ? std::nullopt : sizes(node->input(0));
  if (!out) return false;
  for (const auto* kind : same) {
    if (is(node, kind)) return in == out;
  }
  if (is(node, "aten::add")) return in == out && sizes(node->input(1)) == out;
  if (is(node, "aten::cat")) {
    auto sum = *out;
    sum[1] = 0;
    for (const auto* part : node->input(0)->node()->inputs()) {
      const auto size = sizes(part);
      if (!size || size->size() != out->size()) return false;
      sum[1] += (*size)[1];
      for (std::size_t axis = 2; axis < out->size(); ++axis) {
        if ((*size)[axis] != (*out)[axis]) return false;
      }
    }
    return constant(node->input(1))->toInt() == 1 && sum == *out;
  }
  const bool pool = is(node, "aten::max_pool3d"), convolution = is(node, "aten::_convolution");
  if ((!pool && !convolution) || !in) return false;
  auto expected = *out;
  if (pool) {
    if (constant(node->input(5))->toBool()) return false;
    const auto along = [&](std::size_t argument, std::size_t i) {
      const auto values = list(node, argument);
      return values.size() == 1 ? values[0] : values.at(i);
    };
    for (std::size_t i = 0; i < 3; ++i) {
      expected[i + 2] = windowed((*in)[i + 2], along(1, i), along(2, i), along(3, i), along(4, i));
    }
    return expected == *out;
  }
  const auto weight = constant_tensor(node, 1);
  const auto transposed = constant(node->input(6));
  if (!weight || !weight->defined() || !transposed) return false;
  const auto stride = list(node, 3), padding = list(node, 4), dilation = list(node, 5), beyond = list(node, 7);
  for (std::size_t i = 0; i < 3; ++i) {
    const auto kernel = weight->size(std::int64_t(i) + 2), length = (*in)[i + 2];
    expected[i + 2] = transposed->toBool()
                          ? (length - 1) * stride[i] - 2 * padding[i] + dilation[i] * (kernel - 1) + 1 + beyond[i]
                          : windowed(length, kernel, stride[i], padding[i], dilation[i]);
  }
  return expected == *out;
}

}  // namespace

std::shared_ptr<torch::jit::Graph> trace_small(const TraceOf& trace, at::IntArrayRef shape) try {
  const auto inputs = small_shapes(shape);
  if (!inputs) return nullptr;
  const auto graph = trace(inputs->first), other = trace(inputs->second);

  std::map<const Value*, const Value*> twin;
  std::vector<std::pair<Value*, Sizes>> grown;
  const auto pair = [&](Value* a, const Value* b) {
    twin[a] = b;
    const auto first = sizes(a), second = sizes(b);
    if (first.has_value() != second.has_value()) return false;
    if (!first) return true;
    const auto size = extrapolate(*first, *second, *inputs, shape);
    if (size) grown.emplace_back(a, *size);
    return size.has_value();
  };
  if (!pair(graph->inputs().front(), other->inputs().front())) return nullptr;
  auto b = other->nodes().begin();
  for (auto* node : graph->nodes()) {
    if (b == other->nodes().end()) return nullptr;
    const auto* like = *b++;
    if (node->kind() != like->kind() || node->inputs().size() != like->inputs().size() ||
        node->outputs().size() != like->outputs().size()) {
      return nullptr;
    }
    for (std::size_t i = 0; i < node->inputs().size(); ++i) {
      if (twin[node->input(i)] != like->input(i)) return nullptr;
    }
    const bool fixed = node->kind() == torch::jit::prim::Constant;
    if (fixed && !same_constant(*torch::jit::toIValue(node->output()), *torch::jit::toIValue(like->output()))) {
      return nullptr;
    }
    for (std::size_t i = 0; i < node->outputs().size(); ++i) {
      if (fixed) {
        twin[node->outputs()[i]] = like->outputs()[i];
      } else if (!pair(node->outputs()[i], like->outputs()[i])) {
        return nullptr;
      }
    }
  }
  if (b != other->nodes().end() || twin[graph->outputs().front()] != other->outputs().front()) return nullptr;
  for (const auto& [value, size] : grown) {
    const auto type = value->type()->expect<c10::TensorType>();
    value->setType(c10::TensorType::createContiguous(type->scalarType().value_or(at::kFloat),
                                                     type->device().value_or(at::Device(at::kCPU)), size));
  }
  for (const auto* node : graph->nodes()) {
    if (!agrees(node)) return nullptr;
  }
  return graph;
} catch (const std::exception&) {  // what takes no small volume
  return nullptr;
}

}  // namespace ichdet::nn
