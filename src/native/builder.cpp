#include "builder.hpp"

#include <algorithm>

namespace ichdet::native {

Value sum_of(std::vector<LazyTerm> terms) {
  Value value;
  value.terms = std::move(terms);
  return value;
}

Value& Lowering::at(Name value) {
  const auto found = values_.find(value);
  if (found == values_.end()) refuse(value->node());
  return found->second;
}

void Lowering::read(const Value& value) {
  for (const auto& ref : value.blocks) plan_.use(ref.storage, now());
  if (value.floats) plan_.use(*value.floats, now());
}

Value Lowering::new_map(std::int64_t outputs, Name like, std::int64_t per_pixel) {
  if (std::int64_t(size_of(like).size()) != 2 + dimensions()) {
    refuse(like->node(), "with an output of other dimensions than the input's");
  }
  Value value;
  value.size = extent_of(like);
  value.per_pixel = per_pixel;
  value.blocks = plan_.add_maps(value.size, (outputs + per_pixel - 1) / per_pixel, per_pixel, now());
  value.channel_of = counted(outputs);
  return value;
}

std::int64_t Lowering::blocks_for(Name value, std::int64_t outputs) const {
  const bool ends = value->uses().size() == 1 && only_reader(value) == nullptr;
  const auto size = extent_of(value);
  if (outputs <= 4 && size != Triple{1, 1, 1} && (dimensions() == 2 || ends)) return 4;
  if (dimensions() == 2 || outputs > lanes) return channels;
  for (const auto& use : value->uses()) {
    const auto* user = use.user;
    if (user->kind() == torch::jit::prim::ListConstruct) {
      for (const auto* part : user->inputs()) {
        if (size_of(part).at(1) > lanes) return channels;
      }
    } else if (activation_of(user) || is(user, "aten::instance_norm") || is(user, "aten::add")) {
      if (blocks_for(user->output(), outputs) == channels) return channels;
    }
  }
  return lanes;
}

Value Lowering::new_vector(std::int64_t floats) {
  Value value;
  value.floats = plan_.add_bytes((floats + 2 * channels) * std::int64_t(sizeof(float)), now());
  value.channel_of = counted(floats);
  return value;
}

Value Lowering::unmade(Name name) {
  const auto& value = at(name);
  const bool lazy = !value.made() && read_once(name) && (!value.terms.empty() || value.gate != nullptr);
  return lazy ? value : sum_of({{name, 1, {}, {}}});
}

Value& Lowering::made(Name name) {
  auto& value = at(name);
  if (value.made()) return value;
  if (!value.terms.empty() || value.gate != nullptr) {
    materialise(name, value, {}, {}, {});
  } else if (!value.factors.empty()) {
    modulate(name);
  } else if (value.up) {
    up({name}, name);
  } else if (value.expansion) {
    const auto plan = value;
    regular(plan.source, *plan.expansion, name, plan.activation);
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
  if (found->second.narrow() || found->second.per_pixel != blocks_for(reader->output(), outputs) ||
      found->second.channel_of != counted(outputs))
    return std::nullopt;
  if (nn::sizes(other) != nn::sizes(last)) return std::nullopt;
  taken_.insert(reader);
  last = reader->output();
  return other;
}

/// The slope that the gradient `last` is multiplied by, if that is all that becomes of it.
std::optional<SlopeOf> Lowering::take_slope(Name& last, std::int64_t outputs) {
  const auto* reader = only_reader(last);
  if (reader == nullptr || reader->inputs().empty() || reader->input(0) != last) return std::nullopt;
  const auto slope = slope_of(reader);
  if (!slope) return std::nullopt;
  const auto found = values_.find(slope->of);
  if (found == values_.end() || found->second.blocks.empty()) return std::nullopt;
  const auto& map = found->second;
  if (map.narrow() || map.per_pixel != blocks_for(last, outputs) || map.channel_of != counted(outputs)) {
    return std::nullopt;
  }
  taken_.insert(reader);
  last = reader->output();
  return slope;
}

void Lowering::take_padding(Name& in, Shape& shape, double value) {
  if (at(in).source == nullptr || !at(in).padded()) return;
  if (at(in).pad_value != value) refuse(in->node(), "with a value that the layer after it does not pad with");
  for (std::size_t axis = 0; axis < 3; ++axis) shape.padding[axis] += at(in).pad_before[axis];
  in = at(in).source;
}

}  // namespace ichdet::native
