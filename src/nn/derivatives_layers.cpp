#include <ATen/Functions.h>

#include "affine.hpp"
#include "derivatives.hpp"
#include "graph_tools.hpp"
#include "ichdet/core/error.hpp"
#include "onednn.hpp"
#include "torch_operators.hpp"
#include "weight_cache.hpp"

namespace ichdet::nn {
namespace {

[[noreturn]] void refuse(const torch::jit::Node* node, const char* what) {
  throw Error(ErrorCode::options, std::string("gradient: no rule for ") + node->kind().toQualString() + " " + what);
}

/// Input and output channels exchanged, in each group, and each kernel turned round.
at::Tensor turned(const at::Tensor& weight, std::int64_t groups) {
  std::vector<std::int64_t> grouped{groups, weight.size(0) / groups, weight.size(1)}, flat, axes;
  for (std::int64_t axis = 2; axis < weight.dim(); ++axis) {
    grouped.push_back(weight.size(axis));
    axes.push_back(axis);
  }
  flat = weight.sizes().vec();
  flat[0] = weight.size(1) * groups;
  flat[1] = weight.size(0) / groups;
  return weight.flip(axes).view(grouped).transpose(1, 2).reshape(flat).contiguous();
}

}  // namespace

/// What negative padding takes away.
torch::jit::Value* Derivatives::cropped(Value* gradient, Sizes& padding) {
  auto size = *sizes(gradient);
  Sizes pads(2 * padding.size(), 0);
  bool any = false;
  for (std::size_t axis = 0; axis < padding.size(); ++axis) {
    const auto last_first = 2 * (padding.size() - 1 - axis);
    pads[last_first] = pads[last_first + 1] = std::min<std::int64_t>(padding[axis], 0);
    size[axis + 2] += 2 * pads[last_first];
    any = any || padding[axis] < 0;
    padding[axis] = std::max<std::int64_t>(padding[axis], 0);
  }
  return any ? emit("aten::constant_pad_nd", {gradient, number(pads), number(0)}, size) : gradient;
}

void Derivatives::convolution(Node* node, Value* gradient) {
  for (std::size_t i = 1; i <= 8; ++i) {
    if (!constant(node->input(i))) refuse(node, "whose weights or shape are computed");
  }
  const auto c = convolution_of(node);
  const auto from = *sizes(node->input(0)), to = *sizes(node->output());
  const auto axes = c.stride.size();
  bool plain = !c.transposed;
  Sizes padding(axes), output_padding(axes);
  for (std::size_t axis = 0; axis < axes; ++axis) {
    const auto reach = c.dilation[axis] * (c.weight.size(std::int64_t(axis) + 2) - 1);
    plain = plain && c.stride[axis] == 1;
    padding[axis] = reach - c.padding[axis];
    output_padding[axis] = from[axis + 2] - ((to[axis + 2] - 1) * c.stride[axis] - 2 * c.padding[axis] + reach + 1);
  }
  const auto weight =
      plain ? weights_.derive("turned", {c.weight}, [&] { return turned(c.weight, c.groups); }) : c.weight;
  if (plain || c.transposed) output_padding.assign(axes, 0);
  if (plain) gradient = cropped(gradient, padding);
  auto* no = number(false);
  const bool transposes = !plain && !c.transposed;
  add(node->input(0), emit("aten::_convolution",
                           {gradient, number(weight), number(c10::IValue()), number(plain ? Sizes(axes, 1) : c.stride),
                            number(plain ? padding : c.padding), number(c.dilation), number(transposes),
                            number(output_padding), number(c.groups), no, no, no, no},
                           from));
}

void Derivatives::linear(Node* node, Value* gradient) {
  const auto weight = constant_tensor(node, 1);
  if (!weight) refuse(node, "whose weights are computed");
  const auto turned = weights_.derive("linear turned", {*weight}, [&] { return weight->t().contiguous(); });
  add(node->input(0), emit("aten::linear", {gradient, number(turned), number(c10::IValue())}, *sizes(node->input(0))));
}

void Derivatives::batch_norm(Node* node, Value* gradient) {
  const auto affine = affine_of(node);
  if (!affine) refuse(node, "in training");
  const auto scale = affine->scale.to(at::kFloat);
  const auto zero = at::zeros_like(scale), one = at::ones_like(scale);
  add(node->input(0), emit("aten::batch_norm",
                           {gradient, number(scale), number(zero), number(zero), number(one), number(false),
                            number(0.0), number(0.0), number(false)},
                           *sizes(node->input(0))));
}

/// With x' = (x - mean) / deviation: (g - mean(g) - x' mean(g x')) weight / deviation.
void Derivatives::instance_norm(Node* node, Value* gradient) {
  const auto weight = constant_tensor(node, 1);
  const auto own = constant(node->input(5)), epsilon = constant(node->input(7));
  if (!weight || !own || !own->toBool() || !epsilon) refuse(node, "by other than the input's own statistics");
  auto* x = node->input(0);
  const auto size = *sizes(x);
  Sizes axes, one(size);
  for (std::size_t axis = 2; axis < size.size(); ++axis) {
    axes.push_back(std::int64_t(axis));
    one[axis] = 1;
  }
  const auto mean_of = [&](Value* value) {
    return emit("aten::mean", {value, number(axes), number(true), number(c10::IValue())}, one);
  };
  const auto times = [&](Value* a, Value* b, const Sizes& to) { return emit("aten::mul", {a, b}, to); };
  const auto minus = [&](Value* a, Value* b) { return emit("aten::sub", {a, b, number(1)}, size); };
  auto* centred = minus(x, mean_of(x));
  auto* variance = mean_of(times(centred, centred, size));
  auto* raised = emit("aten::add", {variance, number(*epsilon), number(1)}, one);
  auto* inverse = emit("aten::rsqrt", {raised}, one);
  auto* normal = times(centred, inverse, size);
  auto* rest = minus(minus(gradient, mean_of(gradient)), times(normal, mean_of(times(gradient, normal, size)), size));
  auto* result = times(rest, inverse, size);
  if (weight->defined()) {
    Sizes of_channels(size.size(), 1);
    of_channels[1] = size[1];
    result = times(result, number(weight->to(at::kFloat).view(of_channels)), size);
  }
  add(x, result);
}

void Derivatives::max_pool(Node* node, Value* gradient) {
  const bool flat = is(node, "aten::max_pool2d");
  std::vector<Value*> given(node->inputs().begin(), node->inputs().end());
  const auto kind =
      c10::Symbol::fromQualString(flat ? "aten::max_pool2d_with_indices" : "aten::max_pool3d_with_indices");
  auto* both = graph_.create(kind, given, 2);
  both->insertBefore(node);
  both->output(0)->setType(node->output()->type());
  both->output(1)->setType(c10::TensorType::createContiguous(at::kLong, at::kCPU, *sizes(node->output())));
  node->output()->replaceAllUsesWith(both->output(0));
  given.insert(given.begin(), gradient);
  given.push_back(both->output(1));
  add(node->input(0), emit(flat ? "aten::max_pool2d_with_indices_backward" : "aten::max_pool3d_with_indices_backward",
                           given, *sizes(node->input(0))));
}

void Derivatives::average_pool(Node* node, Value* gradient) {
  std::vector<Value*> given(node->inputs().begin(), node->inputs().end());
  given.insert(given.begin(), gradient);
  add(node->input(0), emit(is(node, "aten::avg_pool2d") ? "aten::avg_pool2d_backward" : "aten::avg_pool3d_backward",
                           given, *sizes(node->input(0))));
}

void Derivatives::adaptive_average_pool(Node* node, Value* gradient) {
  const auto from = *sizes(node->input(0)), to = *sizes(node->output());
  std::int64_t pixels = 1;
  bool whole = true;
  for (std::size_t axis = 2; axis < from.size(); ++axis) {
    pixels *= from[axis];
    whole = whole && to[axis] == 1;
  }
  if (!whole) refuse(node, "to more than one pixel");
  auto* share = emit("aten::mul", {gradient, number(1 / double(pixels))}, to);
  add(node->input(0), spread(share, from));
}

void Derivatives::upsampling(Node* node, Value* gradient) {
  const auto from = *sizes(node->input(0)), to = *sizes(node->output());
  const std::string kind = std::string(node->kind().toQualString()) + "_backward";
  std::vector<Value*> given{gradient, number(Sizes(to.begin() + 2, to.end())), number(from)};
  const bool linear = !kind.starts_with("aten::upsample_nearest");
  if (linear) given.push_back(node->input(2));
  // One list of scales or one scale for each axis, as the operator was written.
  const std::size_t first = linear ? 3 : 2;
  const auto axes = to.size() - 2;
  if (node->inputs().size() == first + axes) {
    given.insert(given.end(), node->inputs().begin() + std::ptrdiff_t(first), node->inputs().end());
  } else {
    const auto scales = constant(node->input(first));
    if (!scales) refuse(node, "by a computed scale");
    for (std::size_t axis = 0; axis < axes; ++axis) {
      given.push_back(number(scales->isNone() ? c10::IValue() : c10::IValue(scales->toDoubleVector()[axis])));
    }
  }
  add(node->input(0), emit(kind.c_str(), given, from));
}

}  // namespace ichdet::nn
