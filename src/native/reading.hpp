#pragma once

#include <ATen/core/Tensor.h>
#include <torch/csrc/jit/ir/ir.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "../nn/graph_tools.hpp"
#include "convolution.hpp"
#include "transfer.hpp"

// What lowering reads from a traced graph.
namespace ichdet::native {

using nn::constant;
using nn::constant_tensor;
using nn::is;
using torch::jit::Node;
using Name = const torch::jit::Value*;  ///< a value of the graph

/// Which of the graph's axes after the channels lie along z, y, x in the arena; -1: there is none.
using Axes = std::array<int, 3>;

/// A convolution of the graph.
struct Conv {
  at::Tensor weight, bias;
  Shape shape;
  bool transposed = false;
  std::int64_t groups = 1;

  std::int64_t outputs() const { return transposed ? weight.size(1) * groups : weight.size(0); }
  const float* bias_data() const { return bias.defined() ? bias.data_ptr<float>() : nullptr; }
  /// Each channel by itself.
  bool depthwise() const { return !transposed && groups > 1 && groups == weight.size(0) && weight.size(1) == 1; }
  bool pointwise() const {
    return !transposed && groups == 1 && shape.kernel == Triple{1, 1, 1} && shape.stride == Triple{1, 1, 1} &&
           shape.padding == Triple{0, 0, 0};
  }
};

/// How the floats of a dense (1, channel, ...) tensor lie, whose pixels are `size` along z, y, x.
Strides strides_of(const Triple& size, const Axes& axes);

/// Throw Error(options): "native: no kernel for ...".
[[noreturn]] void refuse(const std::string& what);
[[noreturn]] void refuse(const Node* node, const std::string& why = {});

/// A node's input, which has to be constant.
c10::IValue argument(const Node* node, std::size_t i);
/// Dense, in float32.
at::Tensor floats(const at::Tensor& x);
/// A list of one number, or one for each axis; `missing` along an axis that is not there.
Triple triple(const c10::IValue& list, const Axes& axes, std::int64_t missing);
/// The last of `sizes`, one for each axis.
Triple extent(const std::vector<std::int64_t>& sizes, const Axes& axes);
std::vector<std::int64_t> size_of(Name value);
/// The one node that reads `value`, if it is one and not the graph's end.
const Node* only_reader(Name value);
std::optional<Activation> activation_of(const Node* node);
std::optional<Conv> convolution_of(const Node* node, const Axes& axes);
/// The factor, where `value` is a constant number.
std::optional<float> factor_of(Name value);
/// 0, 1, ... n - 1
std::vector<std::int64_t> counted(std::int64_t n);

}  // namespace ichdet::native
