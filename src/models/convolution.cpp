#include "ichdet/models/convolution.hpp"

#include <ATen/Functions.h>
#include <ATen/autocast_mode.h>

#include <cmath>
#include <functional>
#include <numeric>

#include "../nn/empty_trace.hpp"

namespace ichdet::models {
namespace {

Axes weight_shape(std::int64_t in_channels, std::int64_t out_channels, const Axes& kernel, bool transposed) {
  Axes shape{transposed ? in_channels : out_channels, transposed ? out_channels : in_channels};
  shape.insert(shape.end(), kernel.begin(), kernel.end());
  return shape;
}

/// torch.nn.init.kaiming_normal_ with a = 0.01: of both kinds of weight it counts the second axis.
at::Tensor he_normal(const Axes& shape) {
  const auto fan_in = std::accumulate(shape.begin() + 1, shape.end(), std::int64_t(1), std::multiplies<>());
  return at::randn(shape) * std::sqrt(2 / (1 + 0.01 * 0.01) / double(fan_in));
}

}  // namespace

Axes ones(const Axes& axes) { return Axes(axes.size(), 1); }

ConvolutionImpl::ConvolutionImpl(std::int64_t in_channels, std::int64_t out_channels, const Axes& kernel, Axes stride_,
                                 Axes padding_, bool with_bias, bool is_transposed)
    : stride(std::move(stride_)),
      padding(std::move(padding_)),
      dilation(kernel.size(), 1),
      transposed(is_transposed),
      weight(register_parameter("weight", he_normal(weight_shape(in_channels, out_channels, kernel, is_transposed)))) {
  if (with_bias) bias = register_parameter("bias", at::zeros(out_channels));
}

at::Tensor ConvolutionImpl::forward(const at::Tensor& x) const {
  const Axes output_padding(stride.size(), 0);
  // at::convolution is not among the operators that autocast knows on the CPU.
  const auto cast = [](const at::Tensor& tensor) {
    return at::autocast::is_autocast_enabled(at::kCPU) && tensor.defined()
               ? at::autocast::cached_cast(at::autocast::get_autocast_dtype(at::kCPU), tensor, at::kCPU)
               : tensor;
  };
  return at::convolution(cast(x), cast(weight), cast(bias), stride, padding, dilation, transposed, output_padding, 1);
}

Convolution convolution(std::int64_t in_channels, std::int64_t out_channels, const Axes& kernel, const Axes& stride,
                        bool with_bias) {
  Axes half;
  for (const auto k : kernel) half.push_back(k / 2);
  return Convolution(in_channels, out_channels, kernel, stride, half, with_bias);
}

Convolution upsampling(std::int64_t in_channels, std::int64_t out_channels, const Axes& factor, bool with_bias) {
  return Convolution(in_channels, out_channels, factor, factor, Axes(factor.size(), 0), with_bias, true);
}

Convolution pointwise(std::int64_t in_channels, std::int64_t out_channels, std::size_t dimensions) {
  const Axes ones(dimensions, 1);
  return convolution(in_channels, out_channels, ones, ones, true);
}

NormImpl::NormImpl(NormKind kind_, std::int64_t channels, double epsilon_)
    : kind(kind_),
      epsilon(epsilon_),
      weight(register_parameter("weight", at::ones(channels))),
      bias(register_parameter("bias", at::zeros(channels))) {
  if (kind == NormKind::instance) return;
  running_mean = register_buffer("running_mean", at::zeros(channels));
  running_var = register_buffer("running_var", at::ones(channels));
  num_batches_tracked = register_buffer("num_batches_tracked", at::zeros({}, at::kLong));
}

at::Tensor NormImpl::forward(const at::Tensor& x) {
  if (kind == NormKind::instance) return nn::instance_norm_of_any(x, weight, bias, momentum, epsilon);
  if (is_training()) num_batches_tracked += 1;
  return at::batch_norm(x, weight, bias, running_mean, running_var, is_training(), momentum, epsilon, false);
}

}  // namespace ichdet::models
