#include <openvino/op/add.hpp>
#include <openvino/op/convolution.hpp>
#include <openvino/op/group_conv.hpp>
#include <openvino/op/reshape.hpp>

#include "lower.hpp"

namespace ichdet::openvino {
namespace {

namespace op = ov::op;

Value reshape(const Value& x, const std::vector<std::int64_t>& shape) {
  return std::make_shared<op::v1::Reshape>(x, constant(shape), false);
}

/// What the overloads say in different ways.
struct Geometry {
  ov::Strides stride, dilation;
  ov::CoordinateDiff before, after, output_padding;
  bool transposed = false;
};

Value convolve(const Call& call, const Geometry& g) {
  auto kernel = call.sizes("weight");
  const auto rank = kernel.size();
  call.require(call.sizes("input").size() == rank, "an input without a batch axis");
  const auto groups = call.integer("groups");
  const auto x = call.tensor("input");
  auto weight = call.tensor("weight");
  if (groups > 1) {
    kernel.insert(kernel.begin(), groups);
    kernel[1] /= groups;
    weight = reshape(weight, kernel);
  }
  Value y;
  if (g.transposed && groups > 1) {
    y = std::make_shared<op::v1::GroupConvolutionBackpropData>(x, weight, g.stride, g.before, g.after, g.dilation,
                                                               op::PadType::EXPLICIT, g.output_padding);
  } else if (g.transposed) {
    y = std::make_shared<op::v1::ConvolutionBackpropData>(x, weight, g.stride, g.before, g.after, g.dilation,
                                                          op::PadType::EXPLICIT, g.output_padding);
  } else if (groups > 1) {
    y = std::make_shared<op::v1::GroupConvolution>(x, weight, g.stride, g.before, g.after, g.dilation);
  } else {
    y = std::make_shared<op::v1::Convolution>(x, weight, g.stride, g.before, g.after, g.dilation);
  }
  if (!call.has("bias")) return y;
  std::vector<std::int64_t> per_channel(rank, 1);
  per_channel[1] = -1;
  return std::make_shared<op::v1::Add>(y, reshape(call.tensor("bias"), per_channel));
}

template <class To>
To converted(const std::vector<std::int64_t>& values) {
  return To(values.begin(), values.end());
}

Geometry geometry(const Call& call) {
  const auto spatial = call.sizes("weight").size() - 2;
  Geometry g;
  g.stride = converted<ov::Strides>(call.integers("stride", spatial, 1));
  g.dilation = converted<ov::Strides>(call.integers("dilation", spatial, 1));
  g.output_padding = converted<ov::CoordinateDiff>(call.integers("output_padding", spatial, 0));
  return g;
}

Values convolution(const Call& call) {
  auto g = geometry(call);
  g.before = g.after = converted<ov::CoordinateDiff>(call.integers("padding", g.stride.size(), 0));
  g.transposed = call.flag("transposed");
  return {convolve(call, g)};
}

Values transposed_convolution(const Call& call) {
  auto g = geometry(call);
  g.before = g.after = converted<ov::CoordinateDiff>(call.integers("padding", g.stride.size(), 0));
  g.transposed = true;
  return {convolve(call, g)};
}

/// Padding "same" or "valid".
Values named_padding(const Call& call) {
  auto g = geometry(call);
  const auto kernel = call.sizes("weight");
  const bool same = call.text("padding") == "same";
  for (std::size_t axis = 0; axis < g.stride.size(); ++axis) {
    const auto all = same ? std::ptrdiff_t(g.dilation[axis]) * (kernel[axis + 2] - 1) : 0;
    g.before.push_back(all / 2);
    g.after.push_back(all - all / 2);
  }
  return {convolve(call, g)};
}

}  // namespace

Table convolutions() {
  return {{"_convolution", convolution},
          {"convolution", convolution},
          {"conv1d", convolution},
          {"conv2d", convolution},
          {"conv3d", convolution},
          {"_convolution_mode", named_padding},
          {"conv_transpose1d", transposed_convolution},
          {"conv_transpose2d", transposed_convolution},
          {"conv_transpose3d", transposed_convolution}};
}

}  // namespace ichdet::openvino
