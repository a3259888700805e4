#include <ATen/Functions.h>

#include <algorithm>
#include <memory>
#include <set>

#include "builder.hpp"
#include "expression.hpp"
#include "means.hpp"
#include "small_tensors.hpp"

// Maps that are multiplied by a function of their own means along some axes, as VIOLA does: the means of maps, and what
// is as large as a map, are made here; the small tensors in between are LibTorch's.
namespace ichdet::native {
namespace {

constexpr std::int64_t float_bytes = sizeof(float);

at::Tensor floats_at(char* arena, std::int64_t offset, at::IntArrayRef size) {
  return at::from_blob(arena + offset, size, at::kFloat);
}

/// (1, channel, ...) as floats for each group of 16 places, z, y, x; what is no channel as 0.
void place(const at::Tensor& tensor, const Axes& axes, const std::vector<std::int64_t>& channel_of, std::int64_t groups,
           char* arena, std::int64_t offset) {
  const auto values =
      axes[0] < 0 ? tensor[0].unsqueeze(1) : tensor[0].permute({0, 1 + axes[0], 1 + axes[1], 1 + axes[2]});
  auto to = floats_at(arena, offset, {groups, values.size(1), values.size(2), values.size(3), lanes});
  to.zero_();
  // Channels that lie beside each other at once.
  for (std::int64_t c = 0, here = 1; c < values.size(0); c += here, here = 1) {
    const auto first = channel_of[std::size_t(c)];
    const auto follows = [&](std::int64_t i) {
      return c + i < values.size(0) && first % lanes + i < lanes && channel_of[std::size_t(c + i)] == first + i;
    };
    while (follows(here)) ++here;
    to[first / lanes].narrow(3, first % lanes, here).copy_(values.narrow(0, c, here).permute({1, 2, 3, 0}));
  }
}

/// What a sum of squares over everything but the image is of; none where `value` is no such sum.
Name squared(Name value) {
  const auto* node = value->node();
  if (!is(node, "aten::sum")) return nullptr;
  const auto axes = constant(node->input(1));
  const auto size = size_of(node->input(0));
  if (!axes || !axes->isIntList() || size.size() < 4 || axes->toIntVector().size() != size.size() - 1) return nullptr;
  for (const auto axis : axes->toIntVector()) {
    if (axis == 0 || axis == -std::int64_t(size.size())) return nullptr;
  }
  const auto* square = node->input(0)->node();
  if (is(square, "aten::square")) return square->input(0);
  if (is(square, "aten::mul") && square->input(0) == square->input(1)) return square->input(0);
  return nullptr;
}

}  // namespace

bool Lowering::take_small(const Node* node) {
  bool any = false;
  for (const auto* input : node->inputs()) {
    const auto found = values_.find(input);
    if (found != values_.end() && found->second.small) {
      any = true;
    } else if (!constant(input)) {
      return false;
    }
  }
  if (!any) return false;
  for (const auto* output : node->outputs()) values_[output].small = true;
  return true;
}

/// The axes that a mean is over: 0 planes, 1 rows, 2 columns.
std::set<std::int64_t> Lowering::reduced(const Node* mean) const {
  const auto axes = constant(mean->input(1));
  if (!axes || !axes->isIntList()) refuse(mean);
  std::set<std::int64_t> internal;
  for (const auto axis : axes->toIntVector()) {
    const auto spatial = (axis < 0 ? axis + 2 + dimensions() : axis) - 2;
    if (spatial < 0) refuse(mean, "over channels");
    internal.insert(std::find(axes_.begin(), axes_.end(), int(spatial)) - axes_.begin());
  }
  return internal;
}

/// All means of an image of which some are along one axis.
void Lowering::image_means(Name name) {
  const auto source = map(name);
  if (source.narrow()) refuse("means of up to four channels");
  read(source);
  const auto count = std::int64_t(source.channel_of.size());
  std::map<std::set<std::int64_t>, std::size_t> storages;
  for (const auto& use : name->uses()) {
    if (!is(use.user, "aten::mean")) continue;
    const auto over = reduced(use.user);
    const auto length = (over.contains(1) ? 1 : source.size[1]) * (over.contains(2) ? 1 : source.size[2]);
    if (!storages.contains(over)) storages[over] = plan_.add_bytes(count * length * float_bytes, now());
    Value value;
    value.small = true;
    value.floats_of_tensor = storages[over];
    values_[use.user->output()] = value;
    taken_.insert(use.user);
  }
  emit([=, this] {
    const auto offset_of = [&](const std::set<std::int64_t>& over) -> std::optional<std::int64_t> {
      const auto found = storages.find(over);
      return found == storages.end() ? std::nullopt : std::optional(plan_.offset(found->second));
    };
    return step_of(ImageMeans({map_of(source), source.channel_of, offset_of({2}), offset_of({1}), offset_of({1, 2})}));
  });
}

bool Lowering::partial_mean(const Node* node) {
  const auto name = node->input(0);
  const std::set<std::int64_t> over_planes{0}, over_pixels{1, 2};
  const auto own = reduced(node);
  if (dimensions() == 2 && own.size() == 1) {
    image_means(name);
    return true;
  }
  if (dimensions() != 3 || (own != over_planes && own != over_pixels)) return false;
  if (axes_[1] > axes_[2]) refuse(node, "where rows lie across columns");

  const auto source = map(name);
  const auto count = std::int64_t(source.channel_of.size());
  if (source.narrow() || source.channel_of != counted(count)) refuse(node, "of a map whose channels lie apart");
  read(source);
  std::optional<std::size_t> of_planes, of_pixels;
  for (const auto& use : name->uses()) {
    if (!is(use.user, "aten::mean")) continue;
    const auto axes = reduced(use.user);
    auto& storage = axes == over_planes ? of_planes : of_pixels;
    if (axes != over_planes && axes != over_pixels) continue;
    if (!storage) {
      const auto pixels = axes == over_planes ? source.size[1] * source.size[2] : source.size[0];
      storage = plan_.add_bytes(count * pixels * float_bytes, now());
    }
    Value value;
    value.small = true;
    value.floats_of_tensor = storage;
    values_[use.user->output()] = value;
    taken_.insert(use.user);
  }
  const auto sums = plan_.add_bytes(source.places() * source.size[0] * source.size[1] * float_bytes, now());
  plan_.use(sums, now() + 1);
  const auto means = [=, this] {
    Means::Options options;
    options.map = map_of(source);
    options.channels = count;
    if (of_planes) options.over_planes = plan_.offset(*of_planes);
    if (of_pixels) options.over_pixels = plan_.offset(*of_pixels);
    options.row_sums = plan_.offset(sums);
    return Means(options);
  };
  emit([=] { return step_of(means()); });
  for (const auto& storage : {of_planes, of_pixels}) {
    if (storage) plan_.use(*storage, now());
  }
  emit([=] { return last_step_of(means()); });
  return true;
}

/// The values that `wanted` are computed from and that lie in the arena; sums of squares of what is as large as a map
/// are put there first.
std::vector<Name> Lowering::roots(const std::vector<Name>& wanted, const Value& like) {
  std::vector<Name> found;
  std::set<Name> seen;
  const std::function<void(Name)> visit = [&](Name value) {
    if (!seen.insert(value).second) return;
    if (constant(value)) return;
    if (!at(value).small) refuse(value->node(), "among small tensors");
    if (!at(value).floats_of_tensor) {
      if (const auto of = squared(value);
          of != nullptr && extent_of(of) == like.size && size_of(of)[1] == std::int64_t(like.channel_of.size())) {
        square_sum(value, of, like);
      }
    }
    if (at(value).floats_of_tensor) {
      found.push_back(value);
      return;
    }
    for (const auto* input : value->node()->inputs()) visit(input);
  };
  for (const auto value : wanted) visit(value);
  return found;
}

void Lowering::square_sum(Name value, Name of, const Value& like) {
  const auto expression = expression_of({of}, like);
  SquareSum::Options options;
  options.size = like.size;
  options.counted.assign(std::size_t(like.places() / lanes), 0);
  for (const auto place : like.channel_of)
    options.counted[std::size_t(place / lanes)] |= std::uint16_t(1 << place % lanes);
  const auto units = SquareSum(options).units();
  const auto sums = plan_.add_bytes(units * std::int64_t(sizeof(double)), now());
  const auto sum = plan_.add_bytes(float_bytes, now());
  use_leaves(expression);
  plan_.use(sums, now() + 1);
  plan_.use(sum, now() + 1);
  const auto made = [=, this] {
    auto placed = options;
    placed.expression = placed_expression(expression);
    placed.row_sums = plan_.offset(sums);
    placed.to = plan_.offset(sum);
    return SquareSum(std::move(placed));
  };
  emit([=] { return step_of(made()); });
  emit([=] { return last_step_of(made()); });
  at(value).floats_of_tensor = sum;
}

/// The product of `factors` as an expression, with what it is made of in the arena.
Lowering::LazyExpression Lowering::expression_of(const std::vector<Name>& factors, const Value& like) {
  using Kind = Expression::Kind;
  LazyExpression made;
  std::map<Name, std::size_t> known;
  std::vector<Name> leaves;
  const auto push = [&](const Expression::Term& term, std::optional<std::size_t> storage = {}) {
    made.terms.push_back({term, storage});
    return made.terms.size() - 1;
  };
  const auto is_sum = [](const Node* node) { return is(node, "aten::add") && factor_of(node->input(2)) == 1.f; };
  const auto is_product = [](const Node* node) { return is(node, "aten::mul") && node->inputs().size() == 2; };
  // What lies along one axis is LibTorch's, and what lies along two where it is no sum or product.
  const auto is_leaf = [&](Name value) {
    if (std::int64_t(size_of(value).size()) != 2 + dimensions())
      refuse(value->node(), "of other dimensions than the map that it multiplies");
    const auto extent = extent_of(value);
    const auto axes = std::ranges::count_if(extent, [](auto length) { return length > 1; });
    const auto* node = value->node();
    const bool computable = is_sum(node) || is_product(node) || is(node, "aten::relu");
    if (extent == like.size && !computable) refuse(node, "as large as the map that it multiplies");
    return axes < 2 || !computable;
  };
  const std::function<void(Name)> find_leaves = [&](Name value) {
    if (factor_of(value)) return;
    if (is_leaf(value)) {
      leaves.push_back(value);
      return;
    }
    find_leaves(value->node()->input(0));
    if (!is(value->node(), "aten::relu")) find_leaves(value->node()->input(1));
  };
  for (const auto factor : factors) find_leaves(factor);
  place_leaves(leaves, like);

  const std::function<std::size_t(Name)> term_of = [&](Name value) -> std::size_t {
    if (const auto found = known.find(value); found != known.end()) return found->second;
    Expression::Term term;
    std::optional<std::size_t> storage;
    if (const auto number = factor_of(value)) {
      term.number = *number;
    } else if (is_leaf(value)) {
      const auto& leaf = leaves_.at(key_of(value, like));
      term.kind = leaf.kind;
      storage = leaf.storage;
    } else if (const auto* node = value->node(); is_product(node)) {
      term.kind = Kind::multiply;
      term.first = term_of(node->input(0));
      term.second = term_of(node->input(1));
    } else if (is_sum(node)) {
      const auto first = node->input(0), second = node->input(1);
      const auto inside = [&](Name part) { return !factor_of(part) && !is_leaf(part) && is_product(part->node()); };
      if (inside(first) || inside(second)) {
        const auto product = inside(first) ? first : second, other = inside(first) ? second : first;
        term.kind = Kind::multiply_add;
        term.first = term_of(product->node()->input(0));
        term.second = term_of(product->node()->input(1));
        term.third = term_of(other);
      } else {
        term.kind = Kind::add;
        term.first = term_of(first);
        term.second = term_of(second);
      }
    } else {
      const auto of = node->input(0);
      const bool sum = !factor_of(of) && !is_leaf(of) && is_sum(of->node());
      term.kind = sum ? Kind::add_relu : Kind::relu;
      term.first = term_of(sum ? of->node()->input(0) : of);
      if (sum) term.second = term_of(of->node()->input(1));
    }
    return known[value] = push(term, storage);
  };
  auto product = term_of(factors.front());
  for (std::size_t i = 1; i < factors.size(); ++i) {
    Expression::Term term;
    term.kind = Kind::multiply;
    term.first = product;
    term.second = term_of(factors[i]);
    product = push(term);
  }
  return made;
}

/// Has LibTorch compute small tensors, and lays them out as expressions read them.
void Lowering::place_leaves(const std::vector<Name>& wanted, const Value& like) {
  using Kind = Expression::Kind;
  roots(wanted, like);  // which may place some of them
  std::vector<Name> missing;
  for (const auto leaf : wanted) {
    if (!leaves_.contains(key_of(leaf, like)) && std::ranges::find(missing, leaf) == missing.end())
      missing.push_back(leaf);
  }
  if (missing.empty()) return;
  const auto given = roots(missing, like);
  std::vector<std::size_t> from;
  std::vector<std::vector<std::int64_t>> sizes;
  for (const auto value : given) {
    from.push_back(*at(value).floats_of_tensor);
    sizes.push_back(size_of(value));
    plan_.use(from.back(), now());
  }
  std::vector<Leaf> placed;
  const auto groups = like.places() / lanes;
  for (const auto leaf : missing) {
    const auto size = size_of(leaf);
    const auto extent = extent_of(leaf);
    const bool channel_wise = size[1] == std::int64_t(like.channel_of.size());
    Leaf made;
    std::int64_t count = 0;
    if (channel_wise && extent == Triple{1, like.size[1], like.size[2]}) {
      made.kind = Kind::pixels;
      count = groups * like.size[1] * like.size[2] * lanes;
    } else if (channel_wise && extent == Triple{like.size[0], 1, 1}) {
      made.kind = Kind::planes;
      count = groups * like.size[0] * lanes;
    } else if (channel_wise && extent == Triple{1, like.size[1], 1}) {
      made.kind = Kind::rows;
      count = groups * like.size[1] * lanes;
    } else if (channel_wise && extent == Triple{1, 1, like.size[2]}) {
      made.kind = Kind::columns;
      count = groups * like.size[2] * lanes;
    } else if (extent == Triple{1, 1, 1} && size[1] == 1) {
      made.kind = Kind::one;
      count = 1;
    } else {
      refuse(leaf->node(), "along axes that have no kernel");
    }
    made.storage = plan_.add_bytes(count * float_bytes, now());
    leaves_[key_of(leaf, like)] = made;
    placed.push_back(made);
  }
  emit([=, this, tensors = SmallTensors(given, missing)] {
    std::vector<std::int64_t> sources, targets;
    for (const auto storage : from) sources.push_back(plan_.offset(storage));
    for (const auto& leaf : placed) targets.push_back(plan_.offset(leaf.storage));
    return Step{1,
                [=, axes = axes_, places = like.channel_of](char* arena, std::int64_t, std::int64_t) {
                  std::vector<at::Tensor> inputs;
                  for (std::size_t i = 0; i < sources.size(); ++i) {
                    inputs.push_back(floats_at(arena, sources[i], sizes[i]));
                  }
                  const auto made = tensors.run(inputs);
                  for (std::size_t i = 0; i < made.size(); ++i) {
                    if (placed[i].kind == Kind::one) {
                      *reinterpret_cast<float*>(arena + targets[i]) = made[i].item<float>();
                    } else {
                      place(made[i], axes, places, groups, arena, targets[i]);
                    }
                  }
                },
                {}};
  });
}

void Lowering::use_leaves(const LazyExpression& expression) {
  for (const auto& [term, storage] : expression.terms) {
    if (storage) plan_.use(*storage, now());
  }
}

Expression Lowering::placed_expression(const LazyExpression& expression) const {
  Expression placed;
  for (const auto& [term, storage] : expression.terms) {
    placed.terms.push_back(term);
    if (storage) placed.terms.back().offset = plan_.offset(*storage);
  }
  return placed;
}

void Lowering::modulate(Name name) {
  const auto factors = at(name).factors;
  const auto source = map(at(name).source);
  if (source.narrow()) refuse(name->node(), "of a map of up to four channels");
  const auto expression = expression_of(factors, source);
  read(source);
  use_leaves(expression);
  auto value = new_map(source.places(), name, source.per_pixel);
  value.channel_of = source.channel_of;
  emit([=, this] {
    Modulation::Options options{placed_expression(expression), map_of(source), map_of(value)};
    return step_of(Modulation(std::move(options)), map_of(value));
  });
  values_[name] = std::move(value);
}

}  // namespace ichdet::native
