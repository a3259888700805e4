#include <ATen/Functions.h>

#include "builder.hpp"
#include "pooling_gradient.hpp"

// What a differentiated graph (nn/differentiate.hpp) has besides what networks have.
namespace ichdet::native {

std::optional<SlopeOf> slope_of(const Node* node) {
  if (is(node, "aten::threshold_backward")) {
    if (factor_of(node->input(2)) != 0.f) return std::nullopt;
    return SlopeOf{node->input(1), {SlopeKind::positive, 0, 0}};
  }
  if (is(node, "aten::silu_backward")) return SlopeOf{node->input(1), {SlopeKind::silu, 0, 0}};
  if (is(node, "aten::sigmoid_backward")) return SlopeOf{node->input(1), {SlopeKind::sigmoid, 0, 0}};
  const auto number = [&](std::size_t i) { return float(argument(node, i).toScalar().toDouble()); };
  if (is(node, "aten::hardtanh_backward")) {
    return SlopeOf{node->input(1), {SlopeKind::between, number(2), number(3)}};
  }
  if (is(node, "aten::leaky_relu_backward")) return SlopeOf{node->input(1), {SlopeKind::leaky, number(2), 0}};
  return std::nullopt;
}

/// A gradient times the slope of the activation that it goes back through.
void Lowering::sloped(const Node* node, const SlopeOf& slope) {
  const auto gradient = node->input(0);
  if (const auto constant = constant_tensor(node, 0)) {
    const auto by_channel = constant->flatten(2).select(2, 0).flatten();
    if (!at::equal(constant->flatten(2), by_channel.view({1, -1, 1}).expand_as(constant->flatten(2)))) {
      refuse(node, "of a constant that differs from pixel to pixel");
    }
    return materialise(node->output(), sum_of({{slope.of, 0, {}, {}}}), {}, {}, by_channel, slope);
  }
  const auto& value = at(gradient);
  materialise(node->output(), unmade_sum(gradient) ? value : sum_of({{gradient, 1, {}, {}}}), {}, {}, {}, slope);
}

/// The pool alone: its gradient finds the indices by itself.
void Lowering::indexed_pooling(const Node* node) {
  for (const auto& use : node->output(1)->uses()) {
    if (!is(use.user, "aten::max_pool2d_with_indices_backward")) refuse(node, "whose indices are read");
  }
  pooling(node, true);
}

void Lowering::pooling_gradient(const Node* node) {
  const auto gradient = map(node->input(0)), in = map(node->input(1));
  PoolingGradient::Options options;
  options.shape.kernel = triple(argument(node, 2), axes_, 1);
  options.shape.stride = triple(argument(node, 3), axes_, 1);
  options.shape.padding = triple(argument(node, 4), axes_, 0);
  if (triple(argument(node, 5), axes_, 1) != Triple{1, 1, 1}) refuse(node, "with gaps");
  if (gradient.narrow() || in.narrow() || gradient.channel_of != in.channel_of)
    refuse(node, "of maps that lie differently");
  read(gradient);
  read(in);
  Name last = node->output();
  const auto slope = take_slope(last, std::int64_t(in.channel_of.size()));
  if (slope) read(at(slope->of));
  auto value = new_map(in.places(), node->output(), in.per_pixel);
  value.channel_of = in.channel_of;
  emit([=, this] {
    auto placed = options;
    placed.in = map_of(in);
    placed.gradient = map_of(gradient);
    placed.out = map_of(value);
    if (slope) placed.slope = slope_at(*slope);
    return step_of(PoolingGradient(placed), map_of(value));
  });
  values_[last] = std::move(value);
}

}  // namespace ichdet::native
