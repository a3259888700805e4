#include <ATen/Functions.h>

#include <openvino/op/add.hpp>
#include <openvino/op/concat.hpp>
#include <openvino/op/constant.hpp>
#include <openvino/op/lstm_sequence.hpp>
#include <openvino/op/reshape.hpp>
#include <openvino/op/slice.hpp>
#include <openvino/op/split.hpp>
#include <openvino/op/transpose.hpp>
#include <openvino/op/unsqueeze.hpp>

#include "lower.hpp"

namespace ichdet::openvino {
namespace {

namespace op = ov::op;

Value concatenated(const Values& values, std::int64_t axis) {
  return values.size() == 1 ? values.front() : Value(std::make_shared<op::v0::Concat>(values, axis));
}

Value transposed(const Value& x, const std::vector<std::int64_t>& order) {
  return std::make_shared<op::v1::Transpose>(x, constant(order));
}

/// LibTorch's gates, input forget cell output, in OpenVINO's order, forget input cell output; and an axis before them.
Value gates(const Value& weight) {
  const auto zero = std::make_shared<op::v0::Constant>(ov::element::i64, ov::Shape{}, 0);
  const auto parts = std::make_shared<op::v1::Split>(weight, zero, 4)->outputs();
  const auto ordered = concatenated({parts[1], parts[0], parts[2], parts[3]}, 0);
  return std::make_shared<op::v0::Unsqueeze>(ordered, zero);
}

Value sum(const Value& a, const Value& b) { return std::make_shared<op::v1::Add>(a, b); }

/// Layers (layer and direction, batch, width) from `first` on, as (batch, direction, width).
Value state(const Value& all, std::int64_t first, std::int64_t count) {
  const auto at = [](std::int64_t value) { return constant(std::vector<std::int64_t>{value}); };
  return transposed(std::make_shared<op::v8::Slice>(all, at(first), at(first + count), at(1), at(0)), {1, 0, 2});
}

Values lstm(const Call& call) {
  call.require(!call.flag("train"), "in training");
  const auto parameters = call.tensors("params"), start = call.tensors("hx");
  const bool both_ways = call.flag("bidirectional"), batch_first = call.flag("batch_first");
  const auto layers = call.integer("num_layers");
  const std::int64_t ways = both_ways ? 2 : 1;
  const std::size_t each = call.flag("has_biases") ? 4 : 2;
  call.require(call.sizes("input").size() == 3, "an input without a batch axis");
  call.require(parameters.size() == std::size_t(layers * ways) * each, "projections");

  auto x = batch_first ? call.tensor("input") : transposed(call.tensor("input"), {1, 0, 2});
  const auto batch = std::int64_t(x.get_shape()[0]), steps = std::int64_t(x.get_shape()[1]);
  const auto width = std::int64_t(start[0].get_shape()[2]);
  const auto lengths = constant(std::vector<std::int64_t>(std::size_t(batch), steps));
  Values hidden, cell;
  for (std::int64_t layer = 0; layer < layers; ++layer) {
    Values from_input, from_state, bias;
    for (std::int64_t way = 0; way < ways; ++way) {
      const auto* p = &parameters[std::size_t(layer * ways + way) * each];
      from_input.push_back(gates(p[0]));
      from_state.push_back(gates(p[1]));
      bias.push_back(gates(each == 4 ? sum(p[2], p[3]) : constant(at::zeros({4 * width}))));
    }
    const auto sequence = std::make_shared<op::v5::LSTMSequence>(
        x, state(start[0], layer * ways, ways), state(start[1], layer * ways, ways), lengths,
        concatenated(from_input, 0), concatenated(from_state, 0), concatenated(bias, 0), width,
        both_ways ? op::RecurrentSequenceDirection::BIDIRECTIONAL : op::RecurrentSequenceDirection::FORWARD);
    x = std::make_shared<op::v1::Reshape>(transposed(sequence->output(0), {0, 2, 1, 3}),
                                          constant(std::vector<std::int64_t>{batch, steps, ways * width}), false);
    hidden.push_back(transposed(sequence->output(1), {1, 0, 2}));
    cell.push_back(transposed(sequence->output(2), {1, 0, 2}));
  }
  return {batch_first ? x : transposed(x, {1, 0, 2}), concatenated(hidden, 0), concatenated(cell, 0)};
}

}  // namespace

Table recurrences() { return {{"lstm", lstm}}; }

}  // namespace ichdet::openvino
