#pragma once

#include <ATen/Functions.h>
#include <torch/nn/modules/conv.h>

#include <algorithm>
#include <array>
#include <vector>

namespace ichdet::models {

/// How TensorFlow's "SAME" pads the last two axes for an output of ceil(size / stride): left, right, top, bottom, the
/// odd pixel at the end.
inline std::vector<std::int64_t> same_padding(const at::Tensor& x, std::int64_t kernel, std::int64_t stride) {
  std::vector<std::int64_t> padding;
  for (const std::int64_t axis : {-1, -2}) {
    const auto size = x.size(axis);
    const auto total = std::max<std::int64_t>(((size + stride - 1) / stride - 1) * stride + kernel - size, 0);
    padding.push_back(total / 2);
    padding.push_back(total - total / 2);
  }
  return padding;
}

/// `conv`, which is padded by half its kernel, or padded as TensorFlow does.
inline at::Tensor convolve(torch::nn::Conv2d& conv, const at::Tensor& x, bool tf_same_padding) {
  const auto kernel = conv->options.kernel_size()->at(0), stride = conv->options.stride()->at(0);
  if (!tf_same_padding || stride == 1) return conv->options.groups() > 1 ? depthwise_convolution(conv, x) : conv(x);
  const auto padded = at::constant_pad_nd(x, same_padding(x, kernel, stride), 0);
  return at::conv2d(padded, conv->weight, conv->bias, {stride, stride}, at::IntArrayRef({0, 0}), {1, 1},
                    conv->options.groups());
}

}  // namespace ichdet::models
