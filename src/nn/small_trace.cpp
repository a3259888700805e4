#include "small_trace.hpp"

#include <ATen/Functions.h>
#include <torch/csrc/jit/ir/ir.h>

#include <map>
#include <optional>
#include <vector>

#include "graph_tools.hpp"
#include "ichdet/core/error.hpp"

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

/// Whether a convolution of these sizes is possible: what was extrapolated has to agree with the layers' own sizes.
bool possible(const Node* node) {
  if (!is(node, "aten::_convolution")) return true;
  const auto in = sizes(node->input(0)), out = sizes(node->output());
  const auto weight = constant_tensor(node, 1);
  const auto list = [&](std::size_t i) { return constant(node->input(i))->toIntVector(); };
  const auto transposed = constant(node->input(6));
  if (!in || !out || !weight || !transposed) return false;
  const auto stride = list(3), padding = list(4), dilation = list(5), beyond = list(7);
  for (std::size_t i = 0; i + 2 < in->size(); ++i) {
    const auto reach = dilation[i] * (weight->size(std::int64_t(i) + 2) - 1) + 1, length = (*in)[i + 2];
    const auto expected = transposed->toBool() ? (length - 1) * stride[i] - 2 * padding[i] + reach + beyond[i]
                                               : (length + 2 * padding[i] - reach) / stride[i] + 1;
    if (expected != (*out)[i + 2]) return false;
  }
  return true;
}

}  // namespace

std::shared_ptr<torch::jit::Graph> trace_small(const TraceOf& trace, at::IntArrayRef shape) {
  const auto inputs = small_shapes(shape);
  if (!inputs) return nullptr;
  std::shared_ptr<torch::jit::Graph> graph, other;
  try {
    graph = trace(inputs->first);
    other = trace(inputs->second);
  } catch (const c10::Error&) {
    return nullptr;
  } catch (const Error&) {
    return nullptr;
  }

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
    if (node->kind() == torch::jit::prim::Constant &&
        !same_constant(*torch::jit::toIValue(node->output()), *torch::jit::toIValue(like->output()))) {
      return nullptr;
    }
    for (std::size_t i = 0; i < node->inputs().size(); ++i) {
      if (twin[node->input(i)] != like->input(i)) return nullptr;
    }
    for (std::size_t i = 0; i < node->outputs().size(); ++i) {
      const bool fixed = node->kind() == torch::jit::prim::Constant;
      if (fixed) {
        twin[node->outputs()[i]] = like->outputs()[i];
      } else if (!pair(node->outputs()[i], like->outputs()[i])) {
        return nullptr;
      }
    }
  }
  for (const auto& [value, size] : grown) {
    const auto type = value->type()->expect<c10::TensorType>();
    value->setType(c10::TensorType::createContiguous(type->scalarType().value_or(at::kFloat),
                                                     type->device().value_or(at::Device(at::kCPU)), size));
  }
  for (const auto* node : graph->nodes()) {
    if (!possible(node)) return nullptr;
  }
  return graph;
}

}  // namespace ichdet::nn
