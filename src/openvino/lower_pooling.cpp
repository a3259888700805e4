#include <openvino/op/adaptive_avg_pool.hpp>
#include <openvino/op/adaptive_max_pool.hpp>
#include <openvino/op/avg_pool.hpp>
#include <openvino/op/max_pool.hpp>
#include <openvino/op/pad.hpp>
#include <openvino/op/reduce_max.hpp>
#include <openvino/op/reduce_mean.hpp>

#include <algorithm>
#include <numeric>

#include "lower.hpp"

namespace ichdet::openvino {
namespace {

namespace op = ov::op;

struct Window {
  ov::Shape kernel, padding;
  ov::Strides stride, dilation;
  op::RoundingType rounding;
};

template <std::size_t Spatial>
Window window(const Call& call) {
  call.require(call.sizes("self").size() == Spatial + 2, "an input without a batch axis");
  const auto kernel = call.integers("kernel_size", Spatial, 1);
  const auto padding = call.integers("padding", Spatial, 0);
  const auto dilation = call.integers("dilation", Spatial, 1);
  auto stride = kernel;
  if (!call.integers("stride").empty()) stride = call.integers("stride", Spatial, 1);
  return {{kernel.begin(), kernel.end()},
          {padding.begin(), padding.end()},
          {stride.begin(), stride.end()},
          {dilation.begin(), dilation.end()},
          call.flag("ceil_mode") ? op::RoundingType::CEIL_TORCH : op::RoundingType::FLOOR};
}

template <std::size_t Spatial>
Values max_pool(const Call& call) {
  const auto w = window<Spatial>(call);
  const auto pool = std::make_shared<op::v14::MaxPool>(call.tensor("self"), w.stride, w.dilation, w.padding, w.padding,
                                                       w.kernel, w.rounding);
  return {pool->output(0)};
}

template <std::size_t Spatial>
Values avg_pool(const Call& call) {
  call.require(!call.has("divisor_override"), "divisor_override");
  auto w = window<Spatial>(call);
  auto x = call.tensor("self");
  bool exclude = !call.flag("count_include_pad");
  if (!exclude && w.rounding != op::RoundingType::FLOOR) {
    // LibTorch counts the padding, and not what the last window reaches beyond it.
    std::vector<std::int64_t> amounts(2, 0);
    amounts.insert(amounts.end(), w.padding.begin(), w.padding.end());
    x = std::make_shared<op::v12::Pad>(x, constant(amounts), constant(amounts), constant(0.), op::PadMode::CONSTANT);
    w.padding.assign(Spatial, 0);
    exclude = true;
  }
  return {std::make_shared<op::v14::AvgPool>(x, w.stride, w.padding, w.padding, w.kernel, exclude, w.rounding)};
}

/// The window and the step that adaptive pooling to `out` comes to; empty where windows differ.
ov::Shape even_windows(const std::vector<std::int64_t>& in, const std::vector<std::int64_t>& out) {
  ov::Shape sizes;
  for (std::size_t axis = 0; axis < out.size(); ++axis) {
    if (out[axis] == 0 || in[axis + 2] % out[axis] != 0) return {};
    sizes.push_back(std::size_t(in[axis + 2] / out[axis]));
  }
  return sizes;
}

/// `pool` takes an input and a window, `uneven` an input and the result's sizes.
template <std::size_t Spatial, class Reduce, class Pool, class Uneven>
Values adaptive(const Call& call, const Pool& pool, const Uneven& uneven) {
  const auto x = call.tensor("self");
  const auto in = call.sizes("self");
  call.require(in.size() == Spatial + 2, "an input without a batch axis");
  const auto out = call.integers("output_size", Spatial, 1);
  if (std::all_of(out.begin(), out.end(), [](std::int64_t n) { return n == 1; })) {
    std::vector<std::int64_t> axes(Spatial);
    std::iota(axes.begin(), axes.end(), 2);
    return {std::make_shared<Reduce>(x, constant(axes), true)};
  }
  if (const auto w = even_windows(in, out); !w.empty()) return {pool(x, w)};
  return {uneven(x, constant(out))};
}

template <std::size_t Spatial>
Values adaptive_avg_pool(const Call& call) {
  const auto pool = [none = ov::Shape(Spatial, 0)](const Value& x, const ov::Shape& w) {
    return std::make_shared<op::v14::AvgPool>(x, ov::Strides(w), none, none, w, true);
  };
  const auto uneven = [](const Value& x, const Value& out) {
    return std::make_shared<op::v8::AdaptiveAvgPool>(x, out);
  };
  return adaptive<Spatial, op::v1::ReduceMean>(call, pool, uneven);
}

template <std::size_t Spatial>
Values adaptive_max_pool(const Call& call) {
  const auto pool = [none = ov::Shape(Spatial, 0)](const Value& x, const ov::Shape& w) {
    const ov::Strides dense(Spatial, 1);
    return std::make_shared<op::v14::MaxPool>(x, ov::Strides(w), dense, none, none, w)->output(0);
  };
  const auto uneven = [](const Value& x, const Value& out) {
    return std::make_shared<op::v8::AdaptiveMaxPool>(x, out, ov::element::i32)->output(0);
  };
  return adaptive<Spatial, op::v1::ReduceMax>(call, pool, uneven);
}

}  // namespace

Table poolings() {
  return {{"max_pool1d", max_pool<1>},
          {"max_pool2d", max_pool<2>},
          {"max_pool3d", max_pool<3>},
          {"max_pool2d_with_indices", max_pool<2>},
          {"max_pool3d_with_indices", max_pool<3>},
          {"avg_pool1d", avg_pool<1>},
          {"avg_pool2d", avg_pool<2>},
          {"avg_pool3d", avg_pool<3>},
          {"adaptive_avg_pool1d", adaptive_avg_pool<1>},
          {"adaptive_avg_pool2d", adaptive_avg_pool<2>},
          {"adaptive_avg_pool3d", adaptive_avg_pool<3>},
          {"adaptive_max_pool1d", adaptive_max_pool<1>},
          {"adaptive_max_pool2d", adaptive_max_pool<2>},
          {"adaptive_max_pool3d", adaptive_max_pool<3>}};
}

}  // namespace ichdet::openvino
