#include <algorithm>
#include <memory>
#include <numeric>

#include "builder.hpp"
#include "depthwise.hpp"
#include "transposed.hpp"
#include "winograd.hpp"

namespace ichdet::native {

void Lowering::convolution(const Node* node) {
  const auto c = *convolution_of(node, axes_);
  if (*std::ranges::max_element(c.shape.stride) > 16) refuse(node, "with a stride above 16");
  const Name in = node->input(0), out = node->output();
  if (at(in).floats) {
    if (!c.pointwise()) refuse(node, "of a vector");
    return dense(in, c.weight.flatten(1), c.bias, out);
  }
  if (c.transposed) {
    if (c.groups != 1 && c.groups == c.weight.size(0) && c.weight.size(1) == 1 && dimensions() == 2) {
      return depthwise_transposed(in, c, out);
    }
    if (c.groups != 1) refuse(node, "transposed, in groups");
    Value value;
    value.up = c;
    value.source = in;
    values_[out] = value;
    return;
  }
  if (c.depthwise()) {
    if (dimensions() == 3) refuse(node, "of each channel of a volume by itself");
    return depthwise(in, c, out);
  }
  if (c.groups != 1) refuse(node, "in groups");
  if (c.pointwise() && !at(in).narrow() && at(in).gate == nullptr) {
    // Where only a depthwise convolution reads it, it is made there.
    Name last = out;
    const auto* reader = only_reader(last);
    std::optional<Activation> activation;
    if (reader != nullptr && (activation = activation_of(reader))) reader = only_reader(reader->output());
    if (reader != nullptr && is(reader, "aten::_convolution") && convolution_of(reader, axes_)->depthwise()) {
      take_activation(last);
      Value value;
      value.expansion = c;
      value.source = in;
      value.activation = activation.value_or(Activation{});
      values_[last] = value;
      return;
    }
  }
  regular(in, c, out);
}

Layer Lowering::layer_of(const Conv& c, const Value& source, const Activation& activation) const {
  Layer layer;
  layer.shape = c.shape;
  layer.in = map_of(source);
  layer.channel_of = source.channel_of;
  layer.weight = c.weight.data_ptr<float>();
  layer.outputs = c.outputs();
  layer.bias = c.bias_data();
  layer.activation = activation;
  layer.format = format_;
  return layer;
}

void Lowering::regular(Name in, const Conv& given, Name out, const std::optional<Activation>& fixed) {
  auto c = given;
  Name gate = nullptr;
  if (at(in).gate != nullptr && !at(in).made() && read_once(in) && c.pointwise() &&
      map(at(in).source).per_pixel == channels) {
    gate = at(in).gate;
    in = at(in).source;
  } else {
    take_padding(in, c.shape, 0);
  }
  const auto source = map(in);
  std::optional<Value> gating;
  if (gate != nullptr) {
    gating = vector(gate);
    if (gating->channel_of != source.channel_of || source.narrow()) refuse("a gate that lies differently than its map");
  }
  const auto outputs = c.outputs();
  Name last = out;
  std::optional<Name> addend;
  if (blocks_for(out, outputs) != 4 && !fixed) addend = take_addend(last, outputs);
  const auto activation = fixed ? *fixed : take_activation(last).value_or(Activation{});
  std::optional<SlopeOf> slope;
  if (!fixed) slope = take_slope(last, outputs);
  read(source);
  std::optional<std::size_t> gate_tiles;
  auto value = new_map(outputs, out, blocks_for(last, outputs));
  const auto* reader = only_reader(last);
  const auto most_parts =
      std::max(Convolution::most_parts(value.size, source.size[2]), Winograd::most_parts(value.size));
  const bool plain = activation.act == Act::none && !value.narrow();
  if (plain && reader != nullptr && is(reader, "aten::instance_norm")) {
    const auto floats = most_parts * ((outputs + lanes - 1) / lanes) * lanes * 2;
    value.statistics = plan_.add_bytes(floats * std::int64_t(sizeof(float)), now());
    value.parts = std::make_shared<std::int64_t>();
  }
  std::optional<Value> added;
  if (addend) {
    added = at(*addend);
    read(*added);
  }
  if (slope) read(at(slope->of));
  if (gating) read(*gating);
  const auto& s = c.shape;
  Triple border = s.padding;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const auto last_read = (value.size[axis] - 1) * s.stride[axis] + (s.kernel[axis] - 1) * s.dilation[axis];
    border[axis] = std::max(border[axis], last_read - s.padding[axis] - (source.size[axis] - 1));
  }
  if (dimensions() == 2) border[1] = border[2] = std::max(border[1], border[2]);
  plan_.need_border(source.blocks, border);
  if (gating) {
    Layer sized;
    sized.in.blocks.resize(source.blocks.size());
    sized.outputs = outputs;
    sized.format = format_;
    gate_tiles = plan_.add_bytes(weight_bytes(sized), now());
  }
  emit([=, this] {
    auto layer = layer_of(c, source, activation);
    layer.out = map_of(value);
    if (added) layer.addend = map_of(*added);
    if (slope) layer.slope = slope_at(*slope);
    if (gating) layer.gate = Gate{plan_.offset(*gating->floats), plan_.offset(*gate_tiles)};
    if (value.statistics) layer.statistics = plan_.offset(*value.statistics);
    const auto step = [&](auto made) {
      if (value.parts && (*value.parts = made.parts()) > most_parts) refuse("statistics of so many tiles");
      return step_of(std::move(made), map_of(value));
    };
    if (const int m = Winograd::suits(layer)) return step(Winograd(layer, m));
    return step(Convolution(layer));
  });
  values_[last] = std::move(value);
}

void Lowering::depthwise(Name in, const Conv& given, Name out) {
  auto c = given;
  take_padding(in, c.shape, 0);
  std::optional<Conv> expansion;
  Activation expansion_activation;
  Value source;
  std::vector<std::int64_t> places;
  if (at(in).expansion && !at(in).made()) {
    expansion = at(in).expansion;
    expansion_activation = at(in).activation;
    source = map(at(in).source);
    places = counted(expansion->outputs());
  } else {
    source = map(in);
    places = source.channel_of;
  }
  if (source.narrow()) refuse(out->node(), "of up to four channels, each by itself");
  Name last = out;
  const auto activation = take_activation(last).value_or(Activation{});
  read(source);
  auto value = expansion ? new_map(expansion->outputs(), out) : new_map(source.places(), out);
  value.channel_of = places;
  const bool averaged = std::any_of(last->uses().begin(), last->uses().end(), [](const auto& use) {
    return is(use.user, "aten::mean") || is(use.user, "aten::adaptive_avg_pool2d");
  });
  if (averaged) {
    value.bands = Depthwise::bands(value.size[1]);
    value.sums = plan_.add_bytes(value.bands * value.places() * std::int64_t(sizeof(float)), now());
  }
  emit([=, this] {
    Depthwise::Options options;
    options.shape = c.shape;
    options.in = map_of(source);
    options.out = map_of(value);
    const auto taps = c.shape.kernel[1] * c.shape.kernel[2];
    options.weight.assign(std::size_t(taps * value.places()), 0);
    options.bias.assign(std::size_t(value.places()), 0);
    for (std::size_t channel = 0; channel < places.size(); ++channel) {
      for (std::int64_t tap = 0; tap < taps; ++tap) {
        options.weight[std::size_t(tap * value.places() + places[channel])] =
            c.weight.data_ptr<float>()[std::int64_t(channel) * taps + tap];
      }
      if (c.bias.defined()) options.bias[std::size_t(places[channel])] = c.bias.data_ptr<float>()[channel];
    }
    options.activation = activation;
    if (expansion) options.expansion = layer_of(*expansion, source, expansion_activation);
    if (value.sums) options.sums = plan_.offset(*value.sums);
    return step_of(Depthwise(std::move(options)), map_of(value));
  });
  values_[last] = std::move(value);
}

void Lowering::enlarge(Name out, const Conv& given) {
  const auto c = given;
  const auto source = map(at(out).source);
  read(source);
  const bool ends = read_once(out) && only_reader(out) == nullptr;
  const auto per_pixel = blocks_for(out, c.outputs());
  auto value = new_map(c.outputs(), out, per_pixel == 4 && !ends ? channels : per_pixel);
  emit([=, this] {
    auto layer = layer_of(c, source, {});
    layer.transposed = true;
    layer.up = c.shape.stride;
    layer.shape = {};
    layer.out = map_of(value);
    return step_of(Convolution(layer), map_of(value));
  });
  values_[out] = std::move(value);
}

/// Transposed convolutions, beside each other in one map.
void Lowering::up(const std::vector<Name>& names, Name out) {
  const auto& first_conv = *at(names.front()).up;
  const auto& shape = first_conv.shape;
  Triple enlarged = map(at(names.front()).source).size;
  for (std::size_t axis = 0; axis < 3; ++axis) enlarged[axis] *= shape.stride[axis];
  if (names.size() == 1 && shape.kernel == shape.stride && shape.padding == Triple{} &&
      shape.dilation == Triple{1, 1, 1} && enlarged == extent_of(out)) {
    return enlarge(out, first_conv);
  }
  if (dimensions() == 3) refuse(out->node(), "transposed, whose kernel is not its stride");
  std::vector<Conv> convs;
  std::vector<Value> sources;
  for (const auto name : names) {
    convs.push_back(*at(name).up);
    const auto source = at(name).source;
    sources.push_back(map(source));
    if (sources.back().narrow()) refuse(out->node(), "of up to four channels, transposed");
  }
  for (const auto& source : sources) read(source);
  // Groups of 16 places: each takes the outputs that fit, the widest first.
  std::vector<std::size_t> order(convs.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return convs[a].outputs() > convs[b].outputs(); });
  std::vector<std::int64_t> taken, first(convs.size());
  for (const auto i : order) {
    const auto outputs = convs[i].outputs();
    std::size_t group = 0;
    while (group < taken.size() && taken[group] + outputs > lanes) ++group;
    if (group == taken.size()) taken.resize(group + std::size_t((outputs + lanes - 1) / lanes), 0);
    first[i] = std::int64_t(group) * lanes + taken[group];
    if (outputs > lanes) {
      std::fill(taken.begin() + std::ptrdiff_t(group), taken.end(), lanes);
    } else {
      taken[group] += outputs;
    }
  }
  auto value = new_map(std::int64_t(taken.size()) * lanes, out);
  value.channel_of.clear();
  for (std::size_t i = 0; i < convs.size(); ++i) {
    for (std::int64_t o = 0; o < convs[i].outputs(); ++o) value.channel_of.push_back(first[i] + o);
  }
  emit([=, this] {
    std::vector<TransposedConvolutions::Part> parts;
    for (std::size_t i = 0; i < convs.size(); ++i) {
      parts.push_back({convs[i].shape, map_of(sources[i]), sources[i].channel_of, convs[i].weight.data_ptr<float>(),
                       convs[i].outputs(), convs[i].bias_data(), first[i]});
    }
    return step_of(TransposedConvolutions(parts, map_of(value), Activation{}, format_), map_of(value));
  });
  values_[out] = std::move(value);
}

}  // namespace ichdet::native
