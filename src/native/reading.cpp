#include "reading.hpp"

#include <algorithm>
#include <limits>
#include <numeric>

#include "ichdet/core/error.hpp"

namespace ichdet::native {

void refuse(const std::string& what) { throw Error(ErrorCode::options, "native: no kernel for " + what); }

void refuse(const Node* node, const std::string& why) {
  refuse(std::string(node->kind().toQualString()) + (why.empty() ? "" : " " + why));
}

c10::IValue argument(const Node* node, std::size_t i) {
  const auto value = constant(node->input(i));
  if (!value) refuse(node, "with an argument that is not constant");
  return *value;
}

at::Tensor floats(const at::Tensor& x) { return x.detach().to(at::kFloat).contiguous(); }

Triple triple(const c10::IValue& list, const Axes& axes, std::int64_t missing) {
  const auto v = list.toIntVector();
  Triple values;
  for (std::size_t i = 0; i < 3; ++i) {
    values[i] = axes[i] < 0 ? missing : v.size() == 1 ? v[0] : v.at(std::size_t(axes[i]));
  }
  return values;
}

Triple extent(const std::vector<std::int64_t>& sizes, const Axes& axes) {
  Triple size{1, 1, 1};
  for (std::size_t i = 0; i < 3; ++i) {
    if (axes[i] < 0) continue;
    if (sizes.size() <= std::size_t(2 + axes[i])) refuse("a tensor of fewer dimensions than the input's");
    size[i] = sizes[std::size_t(2 + axes[i])];
  }
  return size;
}

std::vector<std::int64_t> size_of(Name value) {
  const auto found = nn::sizes(value);
  if (!found) refuse("a value of unknown size");
  return *found;
}

Strides strides_of(const Triple& size, const Axes& axes) {
  Strides strides;
  std::int64_t step = 1;
  for (int graph_axis = 2; graph_axis >= 0; --graph_axis) {
    for (std::size_t i = 0; i < 3; ++i) {
      if (axes[i] != graph_axis) continue;
      strides.pixel[i] = step;
      step *= size[i];
    }
  }
  strides.channel = step;
  return strides;
}

const Node* only_reader(Name value) {
  if (value->uses().size() != 1) return nullptr;
  const auto* node = value->uses().front().user;
  return node->kind() == torch::jit::prim::Return ? nullptr : node;
}

std::optional<Activation> activation_of(const Node* node) {
  if (is(node, "aten::relu")) return Activation{Act::relu, 0, 0};
  if (is(node, "aten::silu")) return Activation{Act::silu, 0, 0};
  if (is(node, "aten::sigmoid")) return Activation{Act::sigmoid, 0, 0};
  if (is(node, "aten::leaky_relu")) {
    const auto slope = constant(node->input(1));
    if (!slope) return std::nullopt;
    return Activation{Act::leaky_relu, float(slope->toScalar().toDouble()), 0};
  }
  if (is(node, "aten::relu6")) return Activation{Act::clamp, 0, 6};
  if (is(node, "aten::hardtanh") || is(node, "aten::clamp")) {
    const auto low = constant(node->input(1)), high = constant(node->input(2));
    if (!low || !high || low->isTensor() || high->isTensor()) return std::nullopt;
    constexpr float limit = std::numeric_limits<float>::max();
    return Activation{Act::clamp, low->isNone() ? -limit : float(low->toScalar().toDouble()),
                      high->isNone() ? limit : float(high->toScalar().toDouble())};
  }
  return std::nullopt;
}

std::optional<Conv> convolution_of(const Node* node, const Axes& axes) {
  if (!is(node, "aten::_convolution")) return std::nullopt;
  const auto weight = constant_tensor(node, 1), bias = constant_tensor(node, 2);
  const auto dimensions = axes[0] < 0 ? 2 : 3;
  if (!weight || !bias || weight->dim() != 2 + dimensions) {
    refuse(node, "whose weights are not constant, or not of its input's dimensions");
  }
  Conv c;
  std::vector<std::int64_t> order{0, 1};
  for (const auto axis : axes) {
    if (axis >= 0) order.push_back(2 + axis);
  }
  c.weight = floats(weight->permute(order));
  if (bias->defined()) c.bias = floats(*bias);
  c.shape = {extent(weight->sizes().vec(), axes), triple(argument(node, 3), axes, 1),
             triple(argument(node, 4), axes, 0), triple(argument(node, 5), axes, 1)};
  c.transposed = argument(node, 6).toBool();
  c.groups = argument(node, 8).toInt();
  return c;
}

std::optional<float> factor_of(Name value) {
  const auto found = constant(value);
  if (!found) return std::nullopt;
  if (found->isScalar()) return float(found->toScalar().toDouble());
  if (found->isTensor() && found->toTensor().defined() && found->toTensor().numel() == 1) {
    return found->toTensor().to(at::kFloat).item<float>();
  }
  return std::nullopt;
}

std::vector<std::int64_t> counted(std::int64_t n) {
  std::vector<std::int64_t> places(static_cast<std::size_t>(n));
  std::iota(places.begin(), places.end(), 0);
  return places;
}

}  // namespace ichdet::native
