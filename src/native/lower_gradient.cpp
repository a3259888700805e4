#include <ATen/Functions.h>

#include <algorithm>

#include "builder.hpp"
#include "depthwise_transposed.hpp"
#include "pooling_gradient.hpp"
#include "product_sums.hpp"
#include "small_tensors.hpp"

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
  if (const auto constant = constant_tensor(node, 0)) {
    const auto by_channel = constant->flatten(2).select(2, 0).flatten();
    if (!at::equal(constant->flatten(2), by_channel.view({1, -1, 1}).expand_as(constant->flatten(2)))) {
      refuse(node, "of a constant that differs from pixel to pixel");
    }
    return materialise(node->output(), sum_of({{slope.of, 0, {}, {}}}), {}, {}, by_channel, slope);
  }
  materialise(node->output(), unmade(node->input(0)), {}, {}, {}, slope);
}

/// Vectors in and a vector out, but for layers.
bool Lowering::of_vectors(const Node* node) const {
  static const char* const others[] = {"aten::linear",  "aten::flatten",   "aten::view", "aten::reshape",
                                       "aten::squeeze", "aten::unsqueeze", "aten::cat"};
  for (const auto* kind : others) {
    if (is(node, kind)) return false;
  }
  const auto vector_like = [](Name value) {
    const auto size = size_of(value);
    std::int64_t numbers = 1;
    for (const auto n : size) numbers *= n;
    return size.size() >= 2 && numbers == size[1];
  };
  bool any = false;
  for (const auto* input : node->inputs()) {
    if (constant(input)) continue;
    const auto found = values_.find(input);
    if (found == values_.end() || !found->second.floats || !vector_like(input)) return false;
    any = true;
  }
  return any && node->outputs().size() == 1 && vector_like(node->output());
}

/// Small as it is, LibTorch does it.
void Lowering::by_libtorch(const Node* node) {
  std::vector<Name> given;
  std::vector<Value> sources;
  for (const auto* input : node->inputs()) {
    if (constant(input)) continue;
    given.push_back(input);
    sources.push_back(vector(input));
    read(sources.back());
  }
  const auto out = node->output();
  auto value = new_vector(size_of(out)[1]);
  emit([=, this] {
    std::vector<std::int64_t> from;
    std::vector<std::vector<std::int64_t>> size;
    for (std::size_t i = 0; i < given.size(); ++i) {
      from.push_back(plan_.offset(*sources[i].floats));
      size.push_back(size_of(given[i]));
    }
    const auto to = plan_.offset(*value.floats);
    const auto run = [=, small = SmallTensors(given, {out})](char* arena, std::int64_t, std::int64_t) {
      std::vector<at::Tensor> tensors;
      for (std::size_t i = 0; i < from.size(); ++i) {
        tensors.push_back(at::empty(size[i]));
        auto* values = tensors.back().data_ptr<float>();
        for (const auto place : sources[i].channel_of)
          *values++ = reinterpret_cast<const float*>(arena + from[i])[place];
      }
      const auto made = small.run(tensors).front().to(at::kFloat).contiguous();
      std::copy_n(made.const_data_ptr<float>(), made.numel(), reinterpret_cast<float*>(arena + to));
    };
    return Step{1, run, {}};
  });
  values_[out] = std::move(value);
}

/// A gate's gradient: the product of two maps of which nothing is read but the sum over all pixels.
bool Lowering::gate_gradient(const Node* node) {
  const auto* reader = only_reader(node->output());
  if (reader == nullptr || !is(reader, "aten::sum") || dimensions() != 2) return false;
  const auto axes = constant(reader->input(1));
  if (!axes || !axes->isIntList() || axes->toIntVector() != std::vector<std::int64_t>{2, 3}) return false;
  const auto first = map(node->input(0)), second = map(node->input(1));
  if (first.narrow() || first.channel_of != second.channel_of || first.size != second.size) return false;
  read(first);
  read(second);
  auto value = new_vector(first.places());
  value.channel_of = first.channel_of;
  emit([=, this] { return step_of(ProductSums({map_of(first), map_of(second), plan_.offset(*value.floats)})); });
  taken_.insert(reader);
  values_[reader->output()] = std::move(value);
  return true;
}

/// A map, which may be gated, and a vector at every pixel.
bool Lowering::shifted_sum(const Node* node) {
  for (const std::size_t i : {0, 1}) {
    const auto name = node->input(i), other = node->input(1 - i);
    const auto& vector = at(name);
    if (vector.shift == nullptr || vector.made() || vector.gate != nullptr || !vector.terms.empty()) continue;
    const auto& map = at(other);
    const bool lazy = !map.made() && read_once(other) && map.shift == nullptr && map.gate != nullptr;
    auto value = lazy ? map : sum_of({{other, 1, {}, {}}});
    value.shift = vector.shift;
    values_[node->output()] = std::move(value);
    return true;
  }
  return false;
}

void Lowering::depthwise_transposed(Name in, const Conv& c, Name out) {
  const auto source = map(in);
  if (source.narrow() || c.bias.defined()) refuse(out->node(), "transposed, each by itself, of few channels or biased");
  Name last = out;
  read(source);
  const auto slope = source.channel_of == counted(c.groups) ? take_slope(last, c.groups) : std::nullopt;
  if (slope) read(at(slope->of));
  auto value = new_map(source.places(), out, source.per_pixel);
  value.channel_of = source.channel_of;
  emit([=, this] {
    DepthwiseTransposed::Options options{c.shape, map_of(source), map_of(value), {}, {}};
    const auto taps = c.shape.kernel[1] * c.shape.kernel[2];
    options.weight.assign(std::size_t(taps * source.places()), 0);
    for (std::size_t channel = 0; channel < source.channel_of.size(); ++channel) {
      for (std::int64_t tap = 0; tap < taps; ++tap) {
        options.weight[std::size_t(tap * source.places() + source.channel_of[channel])] =
            c.weight.data_ptr<float>()[std::int64_t(channel) * taps + tap];
      }
    }
    if (slope) options.slope = slope_at(*slope);
    return step_of(DepthwiseTransposed(std::move(options)), map_of(value));
  });
  values_[last] = std::move(value);
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
