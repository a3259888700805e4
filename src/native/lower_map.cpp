#include <algorithm>
#include <limits>
#include <memory>

#include "builder.hpp"
#include "combination.hpp"
#include "pooling.hpp"
#include "statistics.hpp"

namespace ichdet::native {

namespace {

/// The pixels that PyTorch's upsample_nearest reads.
std::vector<std::int64_t> nearest(std::int64_t from, std::int64_t to) {
  if (from == to) return {};
  std::vector<std::int64_t> read;
  const float step = float(from) / float(to);
  for (std::int64_t i = 0; i < to; ++i) read.push_back(std::min(std::int64_t(float(i) * step), from - 1));
  return read;
}

/// One float for each channel, as one for each place; none where `values` is undefined.
std::vector<float> by_place(const at::Tensor& values, const Value& map) {
  std::vector<float> placed;
  if (!values.defined()) return placed;
  placed.assign(std::size_t(map.places()), 0);
  const auto plain = floats(values);
  for (std::size_t c = 0; c < map.channel_of.size(); ++c) {
    placed[std::size_t(map.channel_of[c])] = plain.data_ptr<float>()[c];
  }
  return placed;
}

/// A term that nothing else reads, where a sum may lie.
std::optional<std::size_t> place_of_term(const std::vector<LazyTerm>& terms) {
  for (std::size_t i = 0; i < terms.size(); ++i) {
    const auto* value = terms[i].value;
    if (!terms[i].size && value->uses().size() == 1 && is(value->node(), "aten::_convolution")) return i;
  }
  return std::nullopt;
}

}  // namespace

/// The sum, or gated map, that `value` is, times scale, plus shift (by channel; undefined: none), activated, times
/// `slope`.
void Lowering::materialise(Name name, Value value, const Activation& activation, const at::Tensor& scale,
                           const at::Tensor& shift, const std::optional<SlopeOf>& slope) {
  auto terms = value.terms;
  if (terms.empty()) terms.push_back({value.source, 1, {}, {}});
  std::vector<Value> maps;
  for (const auto& term : terms) maps.push_back(map(term.value));
  if (slope) read(map(slope->of));
  std::optional<Value> added;
  if (value.shift != nullptr) {
    added = vector(value.shift);
    if (added->channel_of != maps.front().channel_of) refuse("a vector that lies differently than its map");
    read(*added);
  }
  std::optional<Value> gate;
  if (value.gate != nullptr) gate = vector(value.gate);
  const auto places = maps.front().places();
  if (slope && at(slope->of).channel_of != maps.front().channel_of) {
    refuse(name->node(), "of maps that lie differently");
  }
  for (const auto& m : maps) {
    if (m.narrow() || m.per_pixel != maps.front().per_pixel || m.channel_of != maps.front().channel_of)
      refuse(name->node(), "of maps that lie differently");
    read(m);
  }
  for (const auto& term : terms) {
    if (term.affine) plan_.use(*term.affine, now());
  }
  if (gate) {
    if (gate->channel_of != maps.front().channel_of) refuse("a gate that lies differently than its map");
    read(*gate);
  }
  Value out;
  if (const auto place = place_of_term(terms); place && maps.front().size == extent_of(name)) {
    out.size = maps.front().size;
    out.per_pixel = maps.front().per_pixel;
    out.blocks = maps[*place].blocks;
  } else {
    out = new_map(places, name, maps.front().per_pixel);
  }
  out.channel_of = maps.front().channel_of;
  emit([=, this, scales = by_place(scale, out), shifts = by_place(shift, out)] {
    Combination::Options options{{}, map_of(out), scales, shifts, {}, activation, {}, {}};
    if (slope) options.slope = slope_at(*slope);
    for (std::size_t i = 0; i < terms.size(); ++i) {
      const auto& from = maps[i].size;
      const auto to = terms[i].size.value_or(from);
      Combination::Term term{map_of(maps[i]),         terms[i].factor,         nearest(from[0], to[0]),
                             nearest(from[1], to[1]), nearest(from[2], to[2]), {}};
      if (terms[i].affine) term.affine = plan_.offset(*terms[i].affine);
      options.terms.push_back(std::move(term));
    }
    if (gate) options.gate = plan_.offset(*gate->floats);
    if (added) options.vector_shift = plan_.offset(*added->floats);
    return step_of(Combination(std::move(options)), map_of(out));
  });
  values_[name] = std::move(out);
}

void Lowering::instance_norm(const Node* node) {
  const auto name = node->input(0);
  const auto source = map(name);
  if (source.narrow()) refuse(node, "of up to four channels");
  const auto weight = constant_tensor(node, 1), bias = constant_tensor(node, 2);
  if (!weight || !bias) refuse(node, "whose weights are not constant");
  if (!argument(node, 5).toBool()) refuse(node, "by running statistics");
  auto statistics = source.statistics;
  auto part_places = (std::int64_t(source.channel_of.size()) + lanes - 1) / lanes * lanes;
  if (statistics) {
    plan_.use(*statistics, now());
  } else {
    part_places = source.places();
    read(source);
    const auto rows = source.size[0] * source.size[1];
    statistics = plan_.add_bytes(rows * part_places * 2 * std::int64_t(sizeof(float)), now());
    emit([=, this] { return step_of(Statistics(map_of(source), plan_.offset(*statistics))); });
    plan_.use(*statistics, now());
  }
  const auto affine = plan_.add_bytes(source.places() * 2 * std::int64_t(sizeof(float)), now());
  InstanceNorm::Options options;
  options.part_places = part_places;
  options.places = source.places();
  options.count = double(source.size[0] * source.size[1] * source.size[2]);
  options.epsilon = argument(node, 7).toDouble();
  options.weight = by_place(*weight, source);
  options.bias = by_place(*bias, source);
  emit([=, this, parts = source.parts] {
    auto placed = options;
    placed.parts = parts ? *parts : source.size[0] * source.size[1];
    placed.from = plan_.offset(*statistics);
    placed.to = plan_.offset(affine);
    return step_of(InstanceNorm(std::move(placed)));
  });
  values_[node->output()] = sum_of({{name, 1, {}, affine}});
}

/// input(0) + second * input(1), lazily.
void Lowering::sum(const Node* node, float second) {
  Value value;
  std::size_t terms = 0;
  for (const int i : {0, 1}) terms += std::max<std::size_t>(1, at(node->input(std::size_t(i))).terms.size());
  for (const int i : {0, 1}) {
    const auto name = node->input(std::size_t(i));
    const float factor = i == 0 ? 1 : second;
    if (terms > Combination::most_terms) map(name);
    const auto& part = at(name);
    if (unmade_sum(name)) {
      for (auto term : part.terms) {
        term.factor *= factor;
        value.terms.push_back(term);
      }
    } else {
      map(name);
      value.terms.push_back({name, factor, {}, {}});
    }
  }
  if (nn::sizes(node->input(0)) != nn::sizes(node->input(1))) refuse(node, "of maps of two sizes");
  values_[node->output()] = std::move(value);
}

void Lowering::cat(const Node* node) {
  if (node->input(0)->node()->kind() != torch::jit::prim::ListConstruct || argument(node, 1).toInt() != 1) {
    refuse(node, "along other than channels");
  }
  const auto list = node->input(0)->node()->inputs();
  const std::vector<Name> names(list.begin(), list.end());
  const bool all_up = dimensions() == 2 && std::all_of(names.begin(), names.end(), [&](Name name) {
                        return at(name).up && !at(name).made() && name->uses().size() == 1;
                      });
  if (all_up) return up(names, node->output());
  Value value;
  for (const auto name : names) {
    const auto& part = map(name);
    if (part.narrow()) refuse(node, "of maps of up to four channels");
    if (!value.blocks.empty() && part.per_pixel != value.per_pixel) refuse(node, "of maps that lie differently");
    value.size = part.size;
    value.per_pixel = part.per_pixel;
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
  options.shape.kernel = triple(argument(node, 1), axes_, 1);
  const auto stride = argument(node, 2);
  options.shape.stride = stride.toIntVector().empty() ? options.shape.kernel : triple(stride, axes_, 1);
  options.shape.padding = triple(argument(node, 3), axes_, 0);
  if (maximum) {
    if (triple(argument(node, 4), axes_, 1) != Triple{1, 1, 1}) refuse(node, "with gaps");
    take_padding(in, options.shape, -std::numeric_limits<double>::infinity());
  } else {
    options.count_padding = argument(node, 5).toBool();
    if (!argument(node, 6).isNone()) refuse(node, "with a divisor");
  }
  const auto source = map(in);
  if (source.narrow()) refuse(node, "of up to four channels");
  read(source);
  auto value = new_map(source.places(), node->output(0), source.per_pixel);
  value.channel_of = source.channel_of;
  emit([=, this] {
    auto placed = options;
    placed.in = map_of(source);
    placed.out = map_of(value);
    return step_of(Pooling(placed), map_of(value));
  });
  values_[node->output(0)] = std::move(value);
}

}  // namespace ichdet::native
