#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <tuple>
#include <vector>

#include "arena.hpp"
#include "expression.hpp"
#include "lowering.hpp"
#include "reading.hpp"

namespace ichdet::native {

/// Part of a sum that nobody has made yet.
struct LazyTerm {
  Name value;
  float factor = 1;
  std::optional<Triple> size;         ///< to which it is brought, by nearest neighbours
  std::optional<std::size_t> affine;  ///< storage of the scale and shift that an instance norm gives it
};

/// What a value of the graph became.
struct Value {
  Triple size{1, 0, 0};
  std::int64_t per_pixel = channels;
  std::vector<ArenaPlan::Ref> blocks;     ///< of a map
  std::vector<std::int64_t> channel_of;   ///< places
  std::optional<std::size_t> floats;      ///< storage, of a vector
  std::optional<std::size_t> sums;        ///< storage, where sums of a map's channels are left behind ...
  std::int64_t bands = 0;                 ///< ... in so many parts
  std::optional<std::size_t> statistics;  ///< storage, where those of a map are left behind for an instance norm ...
  std::shared_ptr<std::int64_t> parts;    ///< ... in so many parts, known when its step is built

  /// LibTorch's: a small tensor, or what would be as large as a map; made where a map is multiplied by it.
  bool small = false;
  std::optional<std::size_t> floats_of_tensor;  ///< storage of a small tensor that the engine made, dense

  // Not made, but what it would be made of:
  std::vector<LazyTerm> terms;
  std::optional<Conv> expansion, up;  ///< a convolution of `source`
  Activation activation;
  Name source = nullptr;
  Name gate = nullptr;                ///< `source` times this vector
  Name shift = nullptr;               ///< this vector at every pixel; beside `terms`, or `source` and `gate`, or alone
  std::vector<Name> factors;          ///< `source` times these small tensors
  Triple pad_before{}, pad_behind{};  ///< of `source`
  double pad_value = 0;

  bool narrow() const { return per_pixel == 4; }
  bool padded() const { return pad_before != Triple{} || pad_behind != Triple{}; }
  std::int64_t places() const { return std::int64_t(blocks.size()) * per_pixel; }
  bool made() const { return !blocks.empty() || floats.has_value(); }
};

/// The derivative of an activation, at the values of a map.
struct SlopeOf {
  Name of;
  Slope slope;
};
/// Where `node` is a gradient times such a one.
std::optional<SlopeOf> slope_of(const Node* node);

/// A sum that nobody has made yet.
Value sum_of(std::vector<LazyTerm> terms);

/// A kernel's units as a step that fills `out`, if that is a map.
template <class Kernel>
Step step_of(Kernel made, const std::optional<Map>& out = {}) {
  const auto kernel = std::make_shared<const Kernel>(std::move(made));
  Step step{kernel->units(), [kernel](char* arena, std::int64_t b, std::int64_t e) { kernel->run(arena, b, e); }, {}};
  step.before = [kernel, out](char* arena) {
    if (out) clear_borders(*out, arena);
    if constexpr (requires { kernel->prepare(arena); }) kernel->prepare(arena);
  };
  return step;
}

/// What a kernel does after all units.
template <class Kernel>
Step last_step_of(Kernel made) {
  return Step{1, [kernel = std::move(made)](char* arena, std::int64_t, std::int64_t) { kernel.finish(arena); }, {}};
}

/// Goes through a graph's nodes in order, and collects steps. Places in the arena are known only when all are there, so
/// steps are built at the end.
class Lowering {
 public:
  Lowering(const torch::jit::Graph& graph, Format format) : graph_(graph), plan_(format), format_(format) {}
  Program program();

 private:
  using Build = std::function<Step()>;

  void lower(const Node* node);
  void input(Name value);
  void output(Name value, Program& program);

  Value& at(Name value);
  static bool read_once(Name value) { return value->uses().size() == 1; }
  /// A sum that may be taken apart: what is read twice is made, since its terms' places may then be used for it.
  bool unmade_sum(Name value) { return !at(value).terms.empty() && !at(value).made() && read_once(value); }
  /// What a step that makes a sum makes of `value`: itself where nobody has made it, else a sum of it alone.
  Value unmade(Name value);
  Value& made(Name value);
  Value& map(Name value);
  Value& vector(Name value);
  void materialise(Name name, Value value, const Activation& activation, const at::Tensor& scale,
                   const at::Tensor& shift, const std::optional<SlopeOf>& slope = {});

  Triple extent_of(Name value) const { return extent(size_of(value), axes_); }
  std::int64_t dimensions() const { return axes_[0] < 0 ? 2 : 3; }
  Value new_map(std::int64_t outputs, Name like, std::int64_t per_pixel = channels);
  /// How many channels its blocks should have.
  std::int64_t blocks_for(Name value, std::int64_t outputs) const;
  Value new_vector(std::int64_t floats);
  void read(const Value& value);
  Map map_of(const Value& value) const { return plan_.map(value.blocks); }
  void emit(Build build) { builds_.push_back(std::move(build)); }
  std::int64_t now() const { return std::int64_t(builds_.size()); }

  /// What follows `last` and nothing else: takes it into the step before, and is `last` then.
  std::optional<Activation> take_activation(Name& last);
  std::optional<Name> take_addend(Name& last, std::int64_t outputs);
  std::optional<SlopeOf> take_slope(Name& last, std::int64_t outputs);
  SlopeAt slope_at(const SlopeOf& slope) { return {map_of(at(slope.of)), slope.slope}; }
  /// Where `in` is what was padded with `value`: reads what there was before, with as much padding of the layer's own.
  void take_padding(Name& in, Shape& shape, double value);

  /// Without an output, addend or gate.
  Layer layer_of(const Conv& c, const Value& source, const Activation& activation) const;

  void convolution(const Node* node);
  /// With `activation` that one and no addend; else those that follow.
  void regular(Name in, const Conv& c, Name out, const std::optional<Activation>& activation = {});
  void depthwise(Name in, const Conv& c, Name out);
  void dense(Name in, const at::Tensor& weight, const at::Tensor& bias, Name out);
  void up(const std::vector<Name>& values, Name out);
  /// A transposed convolution whose kernel is its stride.
  void enlarge(Name value, const Conv& c);
  void pooling(const Node* node, bool maximum);
  void mean(Name in, Name out);
  void instance_norm(const Node* node);

  // lower_gradient.cpp
  void sloped(const Node* node, const SlopeOf& slope);
  bool of_vectors(const Node* node) const;
  void by_libtorch(const Node* node);
  bool gate_gradient(const Node* node);
  bool shifted_sum(const Node* node);
  void depthwise_transposed(Name in, const Conv& c, Name out);
  void indexed_pooling(const Node* node);
  void pooling_gradient(const Node* node);

  // lower_modulation.cpp
  /// What lies differently for maps of other places.
  using LeafKey = std::tuple<Name, std::int64_t, std::vector<std::int64_t>, Triple>;
  static LeafKey key_of(Name leaf, const Value& like) { return {leaf, like.places(), like.channel_of, like.size}; }
  struct LazyExpression {
    std::vector<std::pair<Expression::Term, std::optional<std::size_t>>> terms;  ///< with the storage of each
  };
  struct Leaf {
    Expression::Kind kind = Expression::Kind::one;
    std::size_t storage = 0;
  };
  bool take_small(const Node* node);
  std::set<std::int64_t> reduced(const Node* mean) const;
  bool partial_mean(const Node* node);
  void image_means(Name name);
  void modulate(Name name);
  LazyExpression expression_of(const std::vector<Name>& factors, const Value& like);
  void place_leaves(const std::vector<Name>& wanted, const Value& like);
  std::vector<Name> roots(const std::vector<Name>& wanted, const Value& like);
  void square_sum(Name value, Name of, const Value& like);
  void use_leaves(const LazyExpression& expression);
  Expression placed_expression(const LazyExpression& expression) const;

  void sum(const Node* node, float second);
  void cat(const Node* node);
  void flatten(Name in, Name out);

  const torch::jit::Graph& graph_;
  ArenaPlan plan_;
  Format format_;
  Axes axes_{-1, 0, 1};
  std::map<Name, Value> values_;
  std::set<const Node*> taken_;
  std::map<LeafKey, Leaf> leaves_;
  std::vector<Build> builds_;
  Name input_ = nullptr;
};

}  // namespace ichdet::native
