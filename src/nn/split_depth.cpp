#include "split_depth.hpp"

#include <ATen/Functions.h>

namespace ichdet::nn {

bool splits_depth(const Convolution& c, at::ScalarType type) {
  return type == at::kBFloat16 && !c.transposed && c.dilation.size() == 3 && c.dilation[0] >= 4 && c.stride[0] == 1;
}

SplitDepth::SplitDepth(const Convolution& c, const std::vector<std::int64_t>& input_size)
    : dilation_(c.dilation[0]), before_(c.padding[0]) {
  const auto reach = dilation_ * (c.weight.size(2) - 1);
  const auto padded = input_size[2] + 2 * before_;
  output_ = padded - reach;
  after_ = before_ + (dilation_ - padded % dilation_) % dilation_;
}

Convolution SplitDepth::inner(Convolution c) const {
  c.dilation[0] = 1;
  c.padding[0] = 0;
  return c;
}

std::vector<std::int64_t> SplitDepth::inner_size(std::vector<std::int64_t> size) const {
  size[0] *= dilation_;
  size[2] = (size[2] + before_ + after_) / dilation_;
  return size;
}

at::Tensor SplitDepth::split(const at::Tensor& x) const {
  auto rows = x.permute({0, 2, 3, 4, 1});  // contiguous, as x is channels-last
  if (before_ + after_ > 0) rows = at::constant_pad_nd(rows, {0, 0, 0, 0, 0, 0, before_, after_});
  const auto n = rows.size(0), h = rows.size(2), w = rows.size(3), c = rows.size(4);
  return rows.view({n, -1, dilation_, h, w, c})
      .transpose(1, 2)
      .reshape({n * dilation_, -1, h, w, c})
      .permute({0, 4, 1, 2, 3});
}

at::Tensor SplitDepth::join(const at::Tensor& x) const {
  const auto rows = x.permute({0, 2, 3, 4, 1});
  const auto n = rows.size(0) / dilation_, d = rows.size(1), h = rows.size(2), w = rows.size(3), c = rows.size(4);
  return rows.reshape({n, dilation_, d, h, w, c})
      .transpose(1, 2)
      .reshape({n, d * dilation_, h, w, c})
      .narrow(1, 0, output_)
      .permute({0, 4, 1, 2, 3});
}

}  // namespace ichdet::nn
