#include <ATen/Functions.h>

#include "builder.hpp"
#include "pooling_gradient.hpp"

// What a differentiated graph (nn/differentiate.hpp) has besides what networks have.
namespace ichdet::native {

/// A gradient where a ReLU let its input through, else 0.
void Lowering::masked(const Node* node) {
  const auto gradient = node->input(0), shown = node->input(1);
  if (factor_of(node->input(2)) != 0.f) refuse(node, "of another threshold than 0");
  if (const auto constant = constant_tensor(node, 0)) {
    const auto by_channel = constant->flatten(2).select(2, 0).flatten();
    if (!at::equal(constant->flatten(2), by_channel.view({1, -1, 1}).expand_as(constant->flatten(2)))) {
      refuse(node, "of a constant that differs from pixel to pixel");
    }
    return materialise(node->output(), sum_of({{shown, 0, {}, {}}}), {}, {}, by_channel, shown);
  }
  const auto& value = at(gradient);
  materialise(node->output(), unmade_sum(gradient) ? value : sum_of({{gradient, 1, {}, {}}}), {}, {}, {}, shown);
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
  const auto mask = take_mask(last, std::int64_t(in.channel_of.size()));
  if (mask) read(at(*mask));
  auto value = new_map(in.places(), node->output(), in.per_pixel);
  value.channel_of = in.channel_of;
  emit([=, this] {
    auto placed = options;
    placed.in = map_of(in);
    placed.gradient = map_of(gradient);
    placed.out = map_of(value);
    if (mask) placed.mask = map_of(at(*mask));
    return step_of(PoolingGradient(placed), map_of(value));
  });
  values_[last] = std::move(value);
}

}  // namespace ichdet::native
