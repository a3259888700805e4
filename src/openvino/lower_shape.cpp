#include <openvino/op/broadcast.hpp>
#include <openvino/op/concat.hpp>
#include <openvino/op/constant.hpp>
#include <openvino/op/convert.hpp>
#include <openvino/op/depth_to_space.hpp>
#include <openvino/op/gather.hpp>
#include <openvino/op/reshape.hpp>
#include <openvino/op/roll.hpp>
#include <openvino/op/slice.hpp>
#include <openvino/op/squeeze.hpp>
#include <openvino/op/tile.hpp>
#include <openvino/op/transpose.hpp>
#include <openvino/op/unsqueeze.hpp>
#include <openvino/op/variadic_split.hpp>

#include <limits>
#include <numeric>

#include "lower.hpp"

namespace ichdet::openvino {
namespace {

namespace op = ov::op;

std::int64_t rank(const Call& call) { return std::int64_t(call.sizes("self").size()); }

Value scalar(std::int64_t value) { return std::make_shared<op::v0::Constant>(ov::element::i64, ov::Shape{}, value); }

Values as_it_is(const Call& call) { return {call.tensor("self")}; }

/// Dropout, in evaluation.
Values dropout(const Call& call) {
  call.require(!call.flag("train"), "in training");
  return {call.tensor("input")};
}

Values converted(const Call& call) {
  const auto x = call.tensor("self");
  const auto type = element_type(call.result_type());
  if (x.get_element_type() == type) return {x};
  return {std::make_shared<op::v0::Convert>(x, type)};
}

/// Everything that keeps the order of the elements: the traced result says the shape.
Values reshaped(const Call& call) {
  return {std::make_shared<op::v1::Reshape>(call.tensor("self"), constant(call.result_sizes()), false)};
}

Values expanded(const Call& call) {
  return {std::make_shared<op::v3::Broadcast>(call.tensor("self"), constant(call.result_sizes()))};
}

/// `1 - x` in C++ is empty_like, fill and sub.
Values filled(const Call& call, double number) {
  const auto type = element_type(call.result_type());
  const auto value = std::make_shared<op::v0::Constant>(type, ov::Shape{}, number);
  return {std::make_shared<op::v3::Broadcast>(value, constant(call.result_sizes()))};
}

Values zeros(const Call& call) { return filled(call, 0); }
Values ones(const Call& call) { return filled(call, 1); }
Values full(const Call& call) { return filled(call, call.number(call.has("value") ? "value" : "fill_value")); }

Values repeated(const Call& call) {
  return {std::make_shared<op::v0::Tile>(call.tensor("self"), constant(call.integers("repeats")))};
}

Values permuted(const Call& call) {
  auto order = call.integers("dims");
  for (auto& axis : order) axis += axis < 0 ? rank(call) : 0;
  return {std::make_shared<op::v1::Transpose>(call.tensor("self"), constant(order))};
}

Value swap_axes(const Call& call, std::int64_t a, std::int64_t b) {
  std::vector<std::int64_t> order(std::size_t(rank(call)));
  std::iota(order.begin(), order.end(), 0);
  std::swap(order.at(std::size_t(a)), order.at(std::size_t(b)));
  return std::make_shared<op::v1::Transpose>(call.tensor("self"), constant(order));
}

Values transposed(const Call& call) {
  return {swap_axes(call, call.dim("dim0", rank(call)), call.dim("dim1", rank(call)))};
}

Values matrix_transposed(const Call& call) {
  if (rank(call) < 2) return {call.tensor("self")};
  return {swap_axes(call, 0, 1)};
}

Value sliced(const Call& call, std::int64_t axis, std::int64_t begin, std::int64_t end, std::int64_t step) {
  const auto at = [](std::int64_t value) { return constant(std::vector<std::int64_t>{value}); };
  return std::make_shared<op::v8::Slice>(call.tensor("self"), at(begin), at(end), at(step), at(axis));
}

/// slice and narrow
Values range(const Call& call) {
  const auto axis = call.dim("dim", rank(call));
  const auto [first, end] = call.range(call.sizes("self").at(std::size_t(axis)));
  return {sliced(call, axis, first, end, call.has("step") ? call.integer("step") : 1)};
}

Values select(const Call& call) {
  const auto axis = call.dim("dim", rank(call));
  return {std::make_shared<op::v8::Gather>(call.tensor("self"), scalar(call.integer("index")), scalar(axis))};
}

Values index_select(const Call& call) {
  const auto axis = call.dim("dim", rank(call));
  return {std::make_shared<op::v8::Gather>(call.tensor("self"), call.tensor("index"), scalar(axis))};
}

Values flipped(const Call& call) {
  auto axes = call.integers("dims");
  for (auto& axis : axes) axis += axis < 0 ? rank(call) : 0;
  const auto all = [&](std::int64_t value) { return constant(std::vector<std::int64_t>(axes.size(), value)); };
  return {std::make_shared<op::v8::Slice>(call.tensor("self"), all(-1), all(std::numeric_limits<std::int64_t>::min()),
                                          all(-1), constant(axes))};
}

Values rolled(const Call& call) {
  call.require(!call.integers("dims").empty(), "no axes");
  return {std::make_shared<op::v7::Roll>(call.tensor("self"), constant(call.integers("shifts")),
                                         constant(call.integers("dims")))};
}

Values concatenated(const Call& call) {
  auto tensors = call.tensors("tensors");
  const auto type = element_type(call.result_type());
  for (auto& tensor : tensors) {
    if (tensor.get_element_type() != type) tensor = std::make_shared<op::v0::Convert>(tensor, type);
  }
  const auto axis = call.dim("dim", std::int64_t(call.result_sizes().size()));
  return {std::make_shared<op::v0::Concat>(tensors, axis)};
}

Values stacked(const Call& call) {
  const auto axis = call.dim("dim", std::int64_t(call.result_sizes().size()));
  Values layers;
  for (const auto& tensor : call.tensors("tensors")) {
    layers.push_back(std::make_shared<op::v0::Unsqueeze>(tensor, scalar(axis)));
  }
  return {std::make_shared<op::v0::Concat>(layers, axis)};
}

/// split, split_with_sizes and chunk
Values split(const Call& call) {
  const auto axis = call.dim("dim", rank(call));
  const auto lengths = call.piece_lengths(call.sizes("self").at(std::size_t(axis)));
  return std::make_shared<op::v1::VariadicSplit>(call.tensor("self"), scalar(axis), constant(lengths))->outputs();
}

Values unbind(const Call& call) {
  const auto axis = call.dim("dim", rank(call));
  auto layers = split(call);
  for (auto& layer : layers) layer = std::make_shared<op::v0::Squeeze>(layer, scalar(axis));
  return layers;
}

Values pixel_shuffle(const Call& call) {
  return {std::make_shared<op::v0::DepthToSpace>(call.tensor("self"),
                                                 op::v0::DepthToSpace::DepthToSpaceMode::DEPTH_FIRST,
                                                 std::size_t(call.integer("upscale_factor")))};
}

}  // namespace

Table shapes() {
  Table table{{"dropout", dropout},
              {"feature_dropout", dropout},
              {"alpha_dropout", dropout},
              {"to", converted},
              {"type_as", converted},
              {"_to_copy", converted},
              {"repeat", repeated},
              {"permute", permuted},
              {"transpose", transposed},
              {"t", matrix_transposed},
              {"numpy_T", matrix_transposed},
              {"slice", range},
              {"narrow", range},
              {"select", select},
              {"index_select", index_select},
              {"flip", flipped},
              {"roll", rolled},
              {"cat", concatenated},
              {"concat", concatenated},
              {"stack", stacked},
              {"split", split},
              {"split_with_sizes", split},
              {"chunk", split},
              {"unbind", unbind},
              {"pixel_shuffle", pixel_shuffle}};
  for (const auto* name : {"contiguous", "clone", "detach", "alias"}) table[name] = as_it_is;
  for (const auto* name :
       {"view", "reshape", "flatten", "unflatten", "squeeze", "unsqueeze", "view_as", "reshape_as"}) {
    table[name] = reshaped;
  }
  for (const auto* name : {"zeros", "zeros_like", "new_zeros", "empty_like"}) table[name] = zeros;
  for (const auto* name : {"ones", "ones_like", "new_ones"}) table[name] = ones;
  for (const auto* name : {"full", "full_like", "new_full", "fill"}) table[name] = full;
  for (const auto* name : {"expand", "expand_as", "broadcast_to"}) table[name] = expanded;
  return table;
}

}  // namespace ichdet::openvino
