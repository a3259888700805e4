#include "lowering.hpp"

#include <ATen/Functions.h>

#include <algorithm>
#include <limits>
#include <map>
#include <numeric>
#include <set>

#include "../nn/affine.hpp"
#include "../nn/graph_tools.hpp"
#include "arena.hpp"
#include "combination.hpp"
#include "dense.hpp"
#include "depthwise.hpp"
#include "ichdet/core/error.hpp"
#include "pooling.hpp"
#include "transfer.hpp"
#include "transposed.hpp"

namespace ichdet::native {
namespace {

using nn::constant;
using nn::constant_tensor;
using nn::is;
using torch::jit::Node;
using Ref = ArenaPlan::Ref;
using Sizes = std::vector<std::int64_t>;
// `value` below is a value of the graph; what it became is a Value.
using Name = const torch::jit::Value*;

/// A convolution of the graph.
struct Conv {
  at::Tensor weight, bias;
  Shape shape;
  bool transposed = false;
  std::int64_t groups = 1;

  std::int64_t outputs() const { return transposed ? weight.size(1) * groups : weight.size(0); }
  bool pointwise() const {
    return !transposed && groups == 1 && shape.kernel == Pair{1, 1} && shape.stride == Pair{1, 1} &&
           shape.padding == Pair{0, 0};
  }
};

/// Part of a sum that nobody has made yet.
struct LazyTerm {
  Name value;
  float factor = 1;
  std::int64_t height = 0, width = 0;  ///< to which it is brought, by nearest neighbours
};

/// What a value of the graph became.
struct Value {
  std::int64_t height = 0, width = 0;
  bool narrow = false;
  std::vector<Ref> blocks;               ///< of a map
  std::vector<std::int64_t> channel_of;  ///< places
  std::optional<std::size_t> floats;     ///< storage, of a vector
  std::optional<std::size_t> sums;       ///< storage, where sums of a map's channels are left behind ...
  std::int64_t bands = 0;                ///< ... in so many parts

  // Not made, but what it would be made of:
  std::vector<LazyTerm> terms;
  std::optional<Conv> expansion, up;  ///< a convolution of `source`
  Activation activation;
  Name source = nullptr;
  Name gate = nullptr;                ///< `source` times this vector
  std::array<std::int64_t, 4> pad{};  ///< left, right, top, bottom of `source`
  double pad_value = 0;

  std::int64_t places() const { return std::int64_t(blocks.size()) * channels; }
  bool made() const { return !blocks.empty() || floats.has_value(); }
};

Value sum_of(std::vector<LazyTerm> terms) {
  Value value;
  value.terms = std::move(terms);
  return value;
}

[[noreturn]] void refuse(const std::string& what) { throw Error(ErrorCode::options, "native: no kernel for " + what); }

[[noreturn]] void refuse(const Node* node, const std::string& why = {}) {
  refuse(std::string(node->kind().toQualString()) + (why.empty() ? "" : " " + why));
}

at::Tensor floats(const at::Tensor& x) { return x.detach().to(at::kFloat).contiguous(); }

Pair pair(const c10::IValue& list) {
  const auto v = list.toIntVector();
  return v.size() == 1 ? Pair{v[0], v[0]} : Pair{v.at(0), v.at(1)};
}

std::vector<std::int64_t> counted(std::int64_t n) {
  std::vector<std::int64_t> places(static_cast<std::size_t>(n));
  std::iota(places.begin(), places.end(), 0);
  return places;
}

Sizes size_of(Name value) {
  const auto found = nn::sizes(value);
  if (!found) refuse("a value of unknown size");
  return *found;
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
  if (is(node, "aten::relu6")) return Activation{Act::clamp, 0, 6};
  if (is(node, "aten::hardtanh") || is(node, "aten::clamp")) {
    const auto low = constant(node->input(1)), high = constant(node->input(2));
    if (!low || !high) return std::nullopt;
    constexpr float limit = std::numeric_limits<float>::max();
    return Activation{Act::clamp, low->isNone() ? -limit : float(low->toScalar().toDouble()),
                      high->isNone() ? limit : float(high->toScalar().toDouble())};
  }
  return std::nullopt;
}

std::optional<Conv> convolution_of(const Node* node) {
  if (!is(node, "aten::_convolution")) return std::nullopt;
  const auto weight = constant_tensor(node, 1), bias = constant_tensor(node, 2);
  if (!weight || !bias || weight->dim() != 4) refuse(node, "whose weights are not constant or not of two dimensions");
  Conv c;
  c.weight = floats(*weight);
  if (bias->defined()) c.bias = floats(*bias);
  c.shape = {{weight->size(2), weight->size(3)},
             pair(*constant(node->input(3))),
             pair(*constant(node->input(4))),
             pair(*constant(node->input(5)))};
  c.transposed = constant(node->input(6))->toBool();
  c.groups = constant(node->input(8))->toInt();
  return c;
}

bool is_depthwise(const Conv& c) {
  return !c.transposed && c.groups > 1 && c.groups == c.weight.size(0) && c.weight.size(1) == 1;
}

/// The factor, where `value` is a constant number.
std::optional<float> factor_of(Name value) {
  const auto found = constant(value);
  if (!found) return std::nullopt;
  if (found->isScalar()) return float(found->toScalar().toDouble());
  if (found->isTensor() && found->toTensor().defined() && found->toTensor().numel() == 1) {
    return found->toTensor().to(at::kFloat).item<float>();
  }
  return std::nullopt;
}

/// The pixels that PyTorch's upsample_nearest reads.
std::vector<std::int64_t> nearest(std::int64_t from, std::int64_t to) {
  if (from == to) return {};
  std::vector<std::int64_t> read;
  const float step = float(from) / float(to);
  for (std::int64_t i = 0; i < to; ++i) read.push_back(std::min(std::int64_t(float(i) * step), from - 1));
  return read;
}

class Lowering {
 public:
  Lowering(const torch::jit::Graph& graph, bool split) : graph_(graph), plan_(split), split_(split) {}
  Program program();

 private:
  using Build = std::function<Step()>;

  void lower(const Node* node);
  void input(Name value);
  void output(Name value, Program& program);

  Value& at(Name value);
  Value& made(Name value);
  Value& map(Name value);
  Value& vector(Name value);
  void materialise(Name name, Value value, const Activation& activation, const at::Tensor& scale,
                   const at::Tensor& shift);

  Value new_map(std::int64_t outputs, Name like, bool narrow = false);
  Value new_vector(std::int64_t floats);
  void read(const Value& value);
  Map map_of(const Value& value) const { return plan_.map(value.blocks); }
  void emit(Build build) { builds_.push_back(std::move(build)); }
  std::int64_t now() const { return std::int64_t(builds_.size()); }

  /// What follows `last` and nothing else: takes it into the step before, and is `last` then.
  std::optional<Activation> take_activation(Name& last);
  std::optional<Name> take_addend(Name& last, std::int64_t outputs);

  void convolution(const Node* node);
  void regular(Name in, const Conv& c, Name out);
  void depthwise(Name in, const Conv& c, Name out);
  void dense(Name in, const at::Tensor& weight, const at::Tensor& bias, Name out);
  void up(const std::vector<Name>& values, Name out);
  void pooling(const Node* node, bool maximum);
  void mean(Name in, Name out);
  void sum(const Node* node, float second);
  void cat(const Node* node);
  void flatten(Name in, Name out);

  const torch::jit::Graph& graph_;
  ArenaPlan plan_;
  bool split_;
  std::map<Name, Value> values_;
  std::set<const Node*> taken_;
  std::vector<Build> builds_;
  Name input_ = nullptr;
};

Value& Lowering::at(Name value) {
  const auto found = values_.find(value);
  if (found == values_.end()) refuse(value->node());
  return found->second;
}

void Lowering::read(const Value& value) {
  for (const auto& ref : value.blocks) plan_.use(ref.storage, now());
  if (value.floats) plan_.use(*value.floats, now());
}

Value Lowering::new_map(std::int64_t outputs, Name like, bool narrow) {
  const auto size = size_of(like);
  if (size.size() != 4) refuse(like->node(), "with an output that has no two dimensions");
  Value value;
  value.height = size[2];
  value.width = size[3];
  value.narrow = narrow;
  value.blocks =
      plan_.add_maps(value.height, value.width, narrow ? 1 : (outputs + channels - 1) / channels, narrow, now());
  value.channel_of = counted(outputs);
  return value;
}

Value Lowering::new_vector(std::int64_t floats) {
  Value value;
  value.floats = plan_.add_bytes((floats + 2 * channels) * std::int64_t(sizeof(float)), now());
  value.channel_of = counted(floats);
  return value;
}

Value& Lowering::made(Name name) {
  auto& value = at(name);
  if (value.made()) return value;
  if (!value.terms.empty() || value.gate != nullptr) {
    materialise(name, value, {}, {}, {});
  } else if (value.up) {
    up({name}, name);
  } else if (value.expansion) {
    const auto c = *value.expansion;
    const auto source = value.source;
    const auto activation = value.activation;
    value = new_map(c.outputs(), name);
    read(map(source));
    emit([=, this, out = value, in = at(source)] {
      Layer layer{c.shape,
                  map_of(in),
                  map_of(out),
                  in.channel_of,
                  c.weight.data_ptr<float>(),
                  c.outputs(),
                  c.bias.defined() ? c.bias.data_ptr<float>() : nullptr,
                  activation,
                  {},
                  {},
                  split_};
      const auto convolution = std::make_shared<const Convolution>(layer);
      return Step{convolution->units(),
                  [convolution](char* arena, std::int64_t b, std::int64_t e) { convolution->run(arena, b, e); },
                  [m = map_of(out)](char* arena) { clear_borders(m, arena); }};
    });
  } else {
    refuse(name->node(), "where a plain map is needed");
  }
  return at(name);
}

Value& Lowering::map(Name name) {
  auto& value = made(name);
  if (value.blocks.empty()) refuse(name->node(), "as a map");
  return value;
}

Value& Lowering::vector(Name name) {
  auto& value = made(name);
  if (!value.floats) refuse(name->node(), "as a vector");
  return value;
}

/// The sum, gate, or plain map that `value` is, times scale, plus shift (by channel; undefined: none), activated.
void Lowering::materialise(Name name, Value value, const Activation& activation, const at::Tensor& scale,
                           const at::Tensor& shift) {
  auto terms = value.terms;
  if (terms.empty()) terms.push_back({value.gate != nullptr ? value.source : name, 1, 0, 0});
  std::vector<Value> maps;
  for (const auto& term : terms) maps.push_back(map(term.value));
  std::optional<Value> gate;
  if (value.gate != nullptr) gate = vector(value.gate);
  const auto places = maps.front().places();
  for (const auto& m : maps) {
    if (m.narrow || m.channel_of != maps.front().channel_of) refuse(name->node(), "of maps that lie differently");
    read(m);
  }
  if (gate) read(*gate);
  auto out = new_map(places, name);
  out.channel_of = maps.front().channel_of;
  const auto by_place = [&](const at::Tensor& values) {
    std::vector<float> placed;
    if (!values.defined()) return placed;
    placed.assign(std::size_t(places), 0);
    const auto plain = floats(values);
    for (std::size_t c = 0; c < out.channel_of.size(); ++c) {
      placed[std::size_t(out.channel_of[c])] = plain.data_ptr<float>()[c];
    }
    return placed;
  };
  emit([=, this, scales = by_place(scale), shifts = by_place(shift)] {
    Combination::Options options{{}, map_of(out), scales, shifts, {}, activation};
    for (std::size_t i = 0; i < terms.size(); ++i) {
      const auto height = terms[i].height, width = terms[i].width;
      options.terms.push_back({map_of(maps[i]), terms[i].factor,
                               height == 0 ? std::vector<std::int64_t>() : nearest(maps[i].height, height),
                               height == 0 ? std::vector<std::int64_t>() : nearest(maps[i].width, width)});
    }
    if (gate) options.gate = plan_.offset(*gate->floats);
    const auto combination = std::make_shared<const Combination>(std::move(options));
    return Step{combination->units(),
                [combination](char* arena, std::int64_t b, std::int64_t e) { combination->run(arena, b, e); },
                [m = map_of(out)](char* arena) { clear_borders(m, arena); }};
  });
  values_[name] = std::move(out);
}

std::optional<Activation> Lowering::take_activation(Name& last) {
  const auto* reader = only_reader(last);
  if (reader == nullptr) return std::nullopt;
  const auto activation = activation_of(reader);
  if (!activation) return std::nullopt;
  taken_.insert(reader);
  last = reader->output();
  return activation;
}

std::optional<Name> Lowering::take_addend(Name& last, std::int64_t outputs) {
  const auto* reader = only_reader(last);
  if (reader == nullptr || !is(reader, "aten::add") || reader->inputs().size() != 3) return std::nullopt;
  const auto alpha = factor_of(reader->input(2));
  const auto other = reader->input(0) == last ? reader->input(1) : reader->input(0);
  const auto found = values_.find(other);
  if (alpha != 1.f || other == last || found == values_.end() || found->second.blocks.empty()) return std::nullopt;
  if (found->second.narrow || found->second.channel_of != counted(outputs)) return std::nullopt;
  if (nn::sizes(other) != nn::sizes(last)) return std::nullopt;
  taken_.insert(reader);
  last = reader->output();
  return other;
}

void Lowering::convolution(const Node* node) {
  auto c = *convolution_of(node);
  const Name in = node->input(0), out = node->output();
  if (at(in).floats) {
    if (!c.pointwise()) refuse(node, "of a vector");
    return dense(in, c.weight.flatten(1), c.bias, out);
  }
  if (c.transposed) {
    if (c.groups != 1) refuse(node, "transposed, in groups");
    Value value;
    value.up = c;
    value.source = in;
    values_[out] = value;
    return;
  }
  if (is_depthwise(c)) return depthwise(in, c, out);
  if (c.groups != 1) refuse(node, "in groups");
  if (c.pointwise() && !at(in).narrow && at(in).gate == nullptr) {
    // Where only a depthwise convolution reads it, it is made there.
    Name last = out;
    const auto* reader = only_reader(last);
    std::optional<Activation> activation;
    if (reader != nullptr && (activation = activation_of(reader))) reader = only_reader(reader->output());
    if (reader != nullptr && is(reader, "aten::_convolution") && is_depthwise(*convolution_of(reader))) {
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

void Lowering::regular(Name in, const Conv& given, Name out) {
  auto c = given;
  Name gate = nullptr;
  if (at(in).gate != nullptr && c.pointwise()) {
    gate = at(in).gate;
    in = at(in).source;
  } else if (at(in).pad != std::array<std::int64_t, 4>{}) {
    const auto pad = at(in).pad;
    if (at(in).pad_value != 0) refuse("a convolution of what was padded with other than zeros");
    c.shape.padding = {c.shape.padding[0] + pad[2], c.shape.padding[1] + pad[0]};
    in = at(in).source;
  }
  const auto source = map(in);
  std::optional<Value> gating;
  if (gate != nullptr) gating = vector(gate);
  const auto outputs = c.outputs();
  const auto size = size_of(out);
  Name last = out;
  std::optional<Name> addend;
  const bool narrow = outputs <= 4 && size[2] * size[3] > 1;
  if (!narrow) addend = take_addend(last, outputs);
  const auto activation = take_activation(last).value_or(Activation{});
  read(source);
  std::optional<std::size_t> gate_tiles;
  auto value = new_map(outputs, out, narrow);
  std::optional<Value> added;
  if (addend) {
    added = at(*addend);
    read(*added);
  }
  if (gating) read(*gating);
  const auto& s = c.shape;
  std::int64_t border = std::max(s.padding[0], s.padding[1]);
  border = std::max(border, (value.height - 1) * s.stride[0] + (s.kernel[0] - 1) * s.dilation[0] - s.padding[0] -
                                (source.height - 1));
  border = std::max(
      border, (value.width - 1) * s.stride[1] + (s.kernel[1] - 1) * s.dilation[1] - s.padding[1] - (source.width - 1));
  plan_.need_border(source.blocks, border);
  if (gating) {
    Layer sized;
    sized.in.blocks.resize(source.blocks.size());
    sized.outputs = outputs;
    sized.split = split_;
    gate_tiles = plan_.add_bytes(weight_bytes(sized), now());
  }
  emit([=, this] {
    Layer layer{c.shape,
                map_of(source),
                map_of(value),
                source.channel_of,
                c.weight.data_ptr<float>(),
                outputs,
                c.bias.defined() ? c.bias.data_ptr<float>() : nullptr,
                activation,
                {},
                {},
                split_};
    if (added) layer.addend = map_of(*added);
    if (gating) layer.gate = Gate{plan_.offset(*gating->floats), plan_.offset(*gate_tiles)};
    const auto convolution = std::make_shared<const Convolution>(layer);
    return Step{convolution->units(),
                [convolution](char* arena, std::int64_t b, std::int64_t e) { convolution->run(arena, b, e); },
                [convolution, m = map_of(value)](char* arena) {
                  clear_borders(m, arena);
                  convolution->apply_gate(arena);
                }};
  });
  values_[last] = std::move(value);
}

void Lowering::depthwise(Name in, const Conv& given, Name out) {
  auto c = given;
  if (at(in).pad != std::array<std::int64_t, 4>{}) {
    if (at(in).pad_value != 0) refuse("a convolution of what was padded with other than zeros");
    c.shape.padding = {c.shape.padding[0] + at(in).pad[2], c.shape.padding[1] + at(in).pad[0]};
    in = at(in).source;
  }
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
  if (source.narrow) refuse(out->node(), "of up to four channels, each by itself");
  Name last = out;
  const auto activation = take_activation(last).value_or(Activation{});
  read(source);
  auto value = expansion ? new_map(expansion->outputs(), out) : new_map(source.places(), out);
  value.channel_of = places;
  const bool averaged = std::any_of(last->uses().begin(), last->uses().end(), [](const auto& use) {
    return is(use.user, "aten::mean") || is(use.user, "aten::adaptive_avg_pool2d");
  });
  if (averaged) {
    value.bands = (value.height + 31) / 32;
    value.sums = plan_.add_bytes(value.bands * value.places() * std::int64_t(sizeof(float)), now());
  }
  emit([=, this] {
    Depthwise::Options options;
    options.shape = c.shape;
    options.in = map_of(source);
    options.out = map_of(value);
    const auto taps = c.shape.kernel[0] * c.shape.kernel[1];
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
    if (expansion) {
      Layer layer;
      layer.in = map_of(source);
      layer.channel_of = source.channel_of;
      layer.weight = expansion->weight.data_ptr<float>();
      layer.outputs = expansion->outputs();
      layer.bias = expansion->bias.defined() ? expansion->bias.data_ptr<float>() : nullptr;
      layer.activation = expansion_activation;
      layer.split = split_;
      options.expansion = layer;
    }
    if (value.sums) options.sums = plan_.offset(*value.sums);
    const auto layer = std::make_shared<const Depthwise>(std::move(options));
    return Step{layer->units(), [layer](char* arena, std::int64_t b, std::int64_t e) { layer->run(arena, b, e); },
                [m = map_of(value)](char* arena) { clear_borders(m, arena); }};
  });
  values_[last] = std::move(value);
}

void Lowering::dense(Name in, const at::Tensor& weight, const at::Tensor& bias, Name out) {
  const auto source = vector(in);
  const auto plain = floats(weight);
  const auto outputs = plain.size(0), inputs = plain.size(1);
  if (inputs != std::int64_t(source.channel_of.size())) refuse(out->node(), "of a vector of another length");
  const auto room = *std::max_element(source.channel_of.begin(), source.channel_of.end()) + 1;
  Name last = out;
  const auto activation = take_activation(last).value_or(Activation{});
  read(source);
  auto value = new_vector(outputs);
  emit([=, this] {
    Dense::Options options;
    options.in = plan_.offset(*source.floats);
    options.out = plan_.offset(*value.floats);
    options.inputs = room;
    options.outputs = outputs;
    options.weight.assign(std::size_t(outputs * room), 0);
    for (std::int64_t o = 0; o < outputs; ++o) {
      for (std::int64_t i = 0; i < inputs; ++i) {
        options.weight[std::size_t(o * room + source.channel_of[std::size_t(i)])] =
            plain.data_ptr<float>()[o * inputs + i];
      }
    }
    if (bias.defined()) options.bias.assign(floats(bias).data_ptr<float>(), floats(bias).data_ptr<float>() + outputs);
    options.activation = activation;
    options.split = split_;
    const auto layer = std::make_shared<const Dense>(std::move(options));
    return Step{layer->units(), [layer](char* arena, std::int64_t b, std::int64_t e) { layer->run(arena, b, e); }, {}};
  });
  values_[last] = std::move(value);
}

/// Transposed convolutions, beside each other in one map.
void Lowering::up(const std::vector<Name>& names, Name out) {
  std::vector<Conv> convs;
  std::vector<Value> sources;
  for (const auto name : names) {
    convs.push_back(*at(name).up);
    const auto source = at(name).source;
    sources.push_back(map(source));
    if (sources.back().narrow) refuse(out->node(), "of up to four channels, transposed");
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
                       convs[i].outputs(), convs[i].bias.defined() ? convs[i].bias.data_ptr<float>() : nullptr,
                       first[i]});
    }
    const auto layer = std::make_shared<const TransposedConvolutions>(parts, map_of(value), Activation{}, split_);
    return Step{layer->units(), [layer](char* arena, std::int64_t b, std::int64_t e) { layer->run(arena, b, e); },
                [m = map_of(value)](char* arena) { clear_borders(m, arena); }};
  });
  values_[out] = std::move(value);
}

void Lowering::cat(const Node* node) {
  if (node->input(0)->node()->kind() != torch::jit::prim::ListConstruct || constant(node->input(1))->toInt() != 1) {
    refuse(node, "along other than channels");
  }
  const auto list = node->input(0)->node()->inputs();
  const std::vector<Name> names(list.begin(), list.end());
  const bool all_up = std::all_of(names.begin(), names.end(), [&](Name name) {
    return at(name).up && !at(name).made() && name->uses().size() == 1;
  });
  if (all_up) return up(names, node->output());
  Value value;
  for (const auto name : names) {
    const auto& part = map(name);
    if (part.narrow) refuse(node, "of maps of up to four channels");
    value.height = part.height;
    value.width = part.width;
    for (const auto place : part.channel_of) value.channel_of.push_back(place + value.places());
    value.blocks.insert(value.blocks.end(), part.blocks.begin(), part.blocks.end());
  }
  plan_.tie(value.blocks);
  values_[node->output()] = std::move(value);
}

void Lowering::pooling(const Node* node, bool maximum) {
  Name in = node->input(0);
  Pooling::Options options;
  options.maximum = maximum;
  options.shape.kernel = pair(*constant(node->input(1)));
  const auto stride = *constant(node->input(2));
  options.shape.stride = stride.toIntVector().empty() ? options.shape.kernel : pair(stride);
  options.shape.padding = pair(*constant(node->input(3)));
  if (maximum) {
    if (pair(*constant(node->input(4))) != Pair{1, 1}) refuse(node, "with gaps");
    if (at(in).pad != std::array<std::int64_t, 4>{}) {
      if (at(in).pad_value != -std::numeric_limits<double>::infinity()) refuse(node, "of what was padded");
      options.shape.padding = {options.shape.padding[0] + at(in).pad[2], options.shape.padding[1] + at(in).pad[0]};
      in = at(in).source;
    }
  } else {
    options.count_padding = constant(node->input(5))->toBool();
    if (!constant(node->input(6))->isNone()) refuse(node, "with a divisor");
  }
  const auto source = map(in);
  if (source.narrow) refuse(node, "of up to four channels");
  read(source);
  auto value = new_map(source.places(), node->output());
  value.channel_of = source.channel_of;
  emit([=, this] {
    auto placed = options;
    placed.in = map_of(source);
    placed.out = map_of(value);
    const auto layer = std::make_shared<const Pooling>(placed);
    return Step{layer->units(), [layer](char* arena, std::int64_t b, std::int64_t e) { layer->run(arena, b, e); },
                [m = map_of(value)](char* arena) { clear_borders(m, arena); }};
  });
  values_[node->output()] = std::move(value);
}

void Lowering::mean(Name in, Name out) {
  const auto source = map(in);
  if (source.narrow) refuse(out->node(), "of up to four channels");
  read(source);
  if (source.sums) plan_.use(*source.sums, now());
  auto value = new_vector(source.places());
  value.channel_of = source.channel_of;
  const float share = 1.f / float(source.height * source.width);
  emit([=, this] {
    const auto places = source.places(), to = plan_.offset(*value.floats);
    const auto from = source.sums ? plan_.offset(*source.sums) : to;
    return Step{1,
                [=, m = map_of(source), own = !source.sums](char* arena, std::int64_t, std::int64_t) {
                  for (std::int64_t b = 0; own && b < places / channels; ++b) sum_block(m, arena, b, to);
                  const auto* sums = reinterpret_cast<const float*>(arena + from);
                  auto* means = reinterpret_cast<float*>(arena + to);
                  for (std::int64_t i = 0; i < places; ++i) {
                    float total = sums[i];
                    for (std::int64_t band = 1; band < source.bands; ++band) total += sums[band * places + i];
                    means[i] = total * share;
                  }
                },
                {}};
  });
  values_[out] = std::move(value);
}

/// input(0) + second * input(1), lazily.
void Lowering::sum(const Node* node, float second) {
  Value value;
  for (const int i : {0, 1}) {
    const auto name = node->input(std::size_t(i));
    const auto& part = at(name);
    const float factor = i == 0 ? 1 : second;
    if (!part.terms.empty() && !part.made()) {
      for (auto term : part.terms) {
        term.factor *= factor;
        value.terms.push_back(term);
      }
    } else {
      map(name);
      value.terms.push_back({name, factor, 0, 0});
    }
  }
  if (nn::sizes(node->input(0)) != nn::sizes(node->input(1))) refuse(node, "of maps of two sizes");
  values_[node->output()] = std::move(value);
}

void Lowering::flatten(Name in, Name out) {
  const auto source = map(in);
  read(source);
  const auto count = std::int64_t(source.channel_of.size()) * source.height * source.width;
  auto value = new_vector(count);
  emit([=, this] {
    const auto to = plan_.offset(*value.floats);
    return Step{1,
                [=, m = map_of(source)](char* arena, std::int64_t, std::int64_t) {
                  write_rows(m, source.channel_of, arena, reinterpret_cast<float*>(arena + to), 0, m.height);
                },
                {}};
  });
  values_[out] = std::move(value);
}

void Lowering::lower(const Node* node) {
  if (node->kind() == torch::jit::prim::Constant || node->kind() == torch::jit::prim::ListConstruct) return;
  if (taken_.contains(node)) return;
  if (node->outputs().size() != 1) refuse(node, "with several outputs");
  const auto out = node->output();
  const auto alias = [&] {
    Value copy = made(node->input(0));
    values_[out] = std::move(copy);
  };
  if (is(node, "aten::_convolution")) return convolution(node);
  if (const auto activation = activation_of(node)) {
    const auto& value = at(node->input(0));
    if (value.floats) refuse(node, "of a vector");
    const bool lazy = !value.made() && (!value.terms.empty() || value.gate != nullptr);
    return materialise(out, lazy ? value : sum_of({{node->input(0), 1, 0, 0}}), *activation, {}, {});
  }
  if (is(node, "aten::batch_norm")) {
    const auto affine = nn::affine_of(node);
    if (!affine) refuse(node, "in training");
    Name last = out;
    const auto activation = take_activation(last).value_or(Activation{});
    return materialise(last, sum_of({{node->input(0), 1, 0, 0}}), activation, affine->scale, affine->shift);
  }
  if (is(node, "aten::mul") || is(node, "aten::div")) {
    for (const int i : {0, 1}) {
      auto factor = factor_of(node->input(std::size_t(1 - i)));
      if (!factor || (i == 1 && is(node, "aten::div"))) continue;
      if (is(node, "aten::div")) factor = 1 / *factor;
      const auto name = node->input(std::size_t(i));
      Value value;
      const auto& part = at(name);
      if (!part.terms.empty() && !part.made()) {
        value.terms = part.terms;
        for (auto& term : value.terms) term.factor *= *factor;
      } else {
        value.terms = {{name, *factor, 0, 0}};
      }
      values_[out] = std::move(value);
      return;
    }
    if (is(node, "aten::mul")) {
      for (const int i : {0, 1}) {
        const auto gate = node->input(std::size_t(i)), source = node->input(std::size_t(1 - i));
        if (!at(gate).floats || at(source).floats) continue;
        Value value;
        value.gate = gate;
        value.source = source;
        values_[out] = std::move(value);
        return;
      }
    }
    refuse(node, "of two maps");
  }
  if (is(node, "aten::add") || is(node, "aten::sub")) {
    const auto alpha = factor_of(node->input(2));
    if (!alpha) refuse(node);
    return sum(node, is(node, "aten::sub") ? -*alpha : *alpha);
  }
  if (is(node, "aten::upsample_nearest2d")) {
    const auto size = size_of(out);
    map(node->input(0));
    values_[out] = sum_of({{node->input(0), 1, size[2], size[3]}});
    return;
  }
  if (is(node, "aten::constant_pad_nd")) {
    const auto pad = constant(node->input(1))->toIntVector();
    if (pad.size() != 4) refuse(node, "of other than two dimensions");
    Value value;
    value.source = node->input(0);
    map(value.source);
    std::copy_n(pad.begin(), 4, value.pad.begin());
    value.pad_value = constant(node->input(2))->toScalar().toDouble();
    if (value.pad == std::array<std::int64_t, 4>{}) return alias();
    values_[out] = std::move(value);
    return;
  }
  if (is(node, "aten::max_pool2d")) return pooling(node, true);
  if (is(node, "aten::avg_pool2d")) return pooling(node, false);
  if (is(node, "aten::adaptive_avg_pool2d")) {
    if (pair(*constant(node->input(1))) != Pair{1, 1}) refuse(node, "to more than one pixel");
    return mean(node->input(0), out);
  }
  if (is(node, "aten::mean")) {
    const auto axes = constant(node->input(1));
    if (!axes || !axes->isIntList()) refuse(node);
    std::set<std::int64_t> found;
    for (const auto axis : axes->toIntVector()) found.insert(axis < 0 ? axis + 4 : axis);
    if (found != std::set<std::int64_t>{2, 3}) refuse(node, "over other than rows and columns");
    return mean(node->input(0), out);
  }
  if (is(node, "aten::cat")) return cat(node);
  if (is(node, "aten::dropout") || is(node, "aten::feature_dropout") || is(node, "aten::contiguous")) return alias();
  if (is(node, "aten::flatten") || is(node, "aten::view") || is(node, "aten::reshape") || is(node, "aten::squeeze")) {
    const auto from = size_of(node->input(0)), to = size_of(out);
    if (to.empty() || to.front() != 1) refuse(node, "across images");
    if (at(node->input(0)).floats || from == to) return alias();
    if (to.size() != 2) refuse(node, "of a map to other than a vector");
    return flatten(node->input(0), out);
  }
  if (is(node, "aten::linear")) {
    const auto weight = constant_tensor(node, 1), bias = constant_tensor(node, 2);
    if (!weight || !bias) refuse(node, "whose weights are not constant");
    return dense(node->input(0), *weight, *bias, out);
  }
  refuse(node);
}

void Lowering::input(Name name) {
  const auto size = size_of(name);
  if (size.size() != 4 || size[0] != 1) refuse("an input that is no image");
  values_[name] = new_map(size[1], name, size[1] <= 4);
  input_ = name;
  emit([this, name] { return Step{0, {}, [m = map_of(at(name))](char* arena) { clear_borders(m, arena); }}; });
}

void Lowering::output(Name name, Program& program) {
  program.output_shape = size_of(name);
  const auto value = made(name);
  read(value);
  plan_.place();
  if (value.floats) {
    program.write = [from = plan_.offset(*value.floats), places = value.channel_of](const char* arena, float* out) {
      const auto* x = reinterpret_cast<const float*>(arena + from);
      for (const auto place : places) *out++ = x[place];
    };
  } else {
    program.write = [m = map_of(value), places = value.channel_of](const char* arena, float* out) {
      write_rows(m, places, arena, out, 0, m.height);
    };
  }
}

Program Lowering::program() {
  if (graph_.inputs().size() != 1 || graph_.outputs().size() != 1) refuse("a graph of several inputs or outputs");
  Program program;
  input(graph_.inputs().front());
  for (const auto* node : graph_.nodes()) lower(node);
  output(graph_.outputs().front(), program);
  for (const auto& build : builds_) program.steps.push_back(build());
  program.bytes = plan_.bytes();
  const auto image = map_of(at(input_));
  program.rows = image.height;
  program.read = [image, count = std::int64_t(at(input_).channel_of.size())](const float* from, char* arena,
                                                                             std::int64_t begin, std::int64_t end) {
    read_rows(from, count, image, arena, begin, end);
  };
  return program;
}

}  // namespace

Program lower(const torch::jit::Graph& graph, bool split) { return Lowering(graph, split).program(); }

}  // namespace ichdet::native
