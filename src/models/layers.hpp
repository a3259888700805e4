#pragma once

#include <ATen/Functions.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/conv.h>

#include <array>
#include <string>
#include <vector>

namespace ichdet::models {

/// Padded by half the kernel, as timm does.
inline torch::nn::Conv2d conv2d(std::int64_t in_channels, std::int64_t out_channels, std::int64_t kernel,
                                std::int64_t stride = 1, std::int64_t groups = 1, bool bias = false) {
  return torch::nn::Conv2d(torch::nn::Conv2dOptions(in_channels, out_channels, kernel)
                               .stride(stride)
                               .padding(kernel / 2)
                               .groups(groups)
                               .bias(bias));
}

inline torch::nn::BatchNorm2d batch_norm(std::int64_t channels, double epsilon = 1e-5, double momentum = 0.1) {
  return torch::nn::BatchNorm2d(torch::nn::BatchNorm2dOptions(channels).eps(epsilon).momentum(momentum));
}

/// Children under the names "0", "1", ... of a module `name` of the parent.
template <class Child>
void register_list(torch::nn::Module& parent, const std::string& name, const std::vector<Child>& children,
                   std::size_t first_index = 0) {
  auto list = std::make_shared<torch::nn::Module>();
  for (std::size_t i = 0; i < children.size(); ++i) list->register_module(std::to_string(first_index + i), children[i]);
  parent.register_module(name, list);
}

/// Mean over height and width: (N, C, H, W) to (N, C).
inline at::Tensor global_average(const at::Tensor& x) { return x.mean({2, 3}); }

/// A convolution of each channel by itself. Under autocast in float32 all the same: LibTorch's gradients of it in
/// bfloat16 take three times as long.
at::Tensor depthwise_convolution(torch::nn::Conv2d& conv, const at::Tensor& x);

/// Throws Error(shape) unless `x` is (N, channels, H, W).
void expect_images(const at::Tensor& x, std::int64_t channels, const char* network);

}  // namespace ichdet::models
