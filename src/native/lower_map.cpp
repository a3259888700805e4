#include <algorithm>
#include <limits>
#include <memory>

#include "builder.hpp"
#include "combination.hpp"
#include "pooling.hpp"

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

}  // namespace

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
  if (gate) {
    if (gate->channel_of != maps.front().channel_of) refuse("a gate that lies differently than its map");
    read(*gate);
  }
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
    return step_of(Combination(std::move(options)), map_of(out));
  });
  values_[name] = std::move(out);
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

void Lowering::cat(const Node* node) {
  if (node->input(0)->node()->kind() != torch::jit::prim::ListConstruct || argument(node, 1).toInt() != 1) {
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
  options.shape.kernel = pair(argument(node, 1));
  const auto stride = argument(node, 2);
  options.shape.stride = stride.toIntVector().empty() ? options.shape.kernel : pair(stride);
  options.shape.padding = pair(argument(node, 3));
  if (maximum) {
    if (pair(argument(node, 4)) != Pair{1, 1}) refuse(node, "with gaps");
    take_padding(in, options.shape, -std::numeric_limits<double>::infinity());
  } else {
    options.count_padding = argument(node, 5).toBool();
    if (!argument(node, 6).isNone()) refuse(node, "with a divisor");
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
    return step_of(Pooling(placed), map_of(value));
  });
  values_[node->output()] = std::move(value);
}

}  // namespace ichdet::native
