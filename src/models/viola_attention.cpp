#include "ichdet/models/viola_attention.hpp"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <algorithm>
#include <numeric>

#include "layers.hpp"
#include "viola_modulation.hpp"

namespace ichdet::models {
namespace {

constexpr double layer_norm_epsilon = 1e-5, group_norm_epsilon = 1e-5, norm_epsilon = 1e-12;

/// With gradients of its own, which are of the CPU.
bool learns(const at::Tensor& x) { return at::GradMode::is_enabled() && x.requires_grad() && x.device().is_cpu(); }

/// axis_means() in operators that can be traced.
std::array<at::Tensor, 3> plain_means(const at::Tensor& x) {
  const bool flat = x.dim() == 4;
  const auto rows = flat ? x : x.mean(4);
  return {rows.mean(3), rows.mean(2), flat ? rows.mean({2, 3}).unsqueeze(2) : x.mean({2, 3})};
}

}  // namespace

ViolaBranchImpl::ViolaBranchImpl(std::int64_t channels) {
  const auto kernel = 3 + 2 * (channels / 32), width = std::max<std::int64_t>(channels / 16, 4) / 4 + 1;
  const std::array<std::int64_t, 4> dilations{1, kernel, 2 * (kernel - 1) + 1, 3 * (kernel - 1) + 1},
      strides{2, 2, 4, 4};
  gamma = register_module("0", std::make_shared<torch::nn::Module>())
              ->register_parameter("gamma", at::ones({1, channels, 1, 1, 1}));
  auto block = register_module("1", std::make_shared<torch::nn::Module>());
  auto list = block->register_module("features", std::make_shared<torch::nn::Module>());
  std::int64_t read = 1;
  for (std::size_t i = 0; i < dilations.size(); ++i) {
    auto feature = convolution(read, width, {kernel, 1}, {strides[i], 1}, false);
    feature->dilation = {dilations[i], 1};
    feature->padding = {dilations[i] * (kernel - 1) / 2, 0};
    list->register_module(std::to_string(i), std::make_shared<torch::nn::Module>())->register_module("0", feature);
    features.push_back(feature);
    read += width;
  }
  conv1x1_out = block->register_module("conv1x1_out", std::make_shared<torch::nn::Module>())
                    ->register_module("1", convolution(read + 1, 1, {1, 1}, {1, 1}, false));
}

at::Tensor ViolaBranchImpl::forward(const at::Tensor& profile) const {
  const auto centred = profile - profile.mean(1, /*keepdim=*/true);
  const auto variance = centred.square().mean(1, /*keepdim=*/true);
  const auto image = (centred / (variance + layer_norm_epsilon).sqrt() * gamma.view({1, -1, 1})).unsqueeze(1);
  auto all = image;
  for (const auto& feature : features) {
    const auto strided = feature->forward(all);
    all = at::cat({at::upsample_bilinear2d(strided, image.sizes().slice(2), /*align_corners=*/false), all}, 1);
  }
  return conv1x1_out->forward(at::silu(at::cat({image, all}, 1))).squeeze(1);
}

ViolaAttentionImpl::ViolaAttentionImpl(std::int64_t channels)
    : branches{register_module("xconv", ViolaBranch(channels)), register_module("yconv", ViolaBranch(channels)),
               register_module("zconv", ViolaBranch(channels))} {
  norm = register_module("act", std::make_shared<torch::nn::Module>())
             ->register_module("0", Norm(NormKind::instance, channels, group_norm_epsilon));
}

ViolaAttentionImpl::Profiles ViolaAttentionImpl::profiles(const at::Tensor& x) const {
  const bool flat = x.dim() == 4;
  const auto means = learns(x) ? axis_means(x) : plain_means(x);
  std::vector<at::Tensor> along_axes;
  for (std::size_t i = 0; i < 3; ++i) along_axes.push_back(branches[i]->forward(means[i]));

  // All three side by side along the last axis.
  const auto along = at::cat(along_axes, 2);
  const auto sigmoid = at::sigmoid(along);
  const auto t = 0.05 * (at::tanh(at::group_norm(along, 2, norm->weight, norm->bias, norm->epsilon)) + sigmoid);
  const std::array<std::int64_t, 3> lengths{x.size(2), x.size(3), flat ? 1 : x.size(4)};
  Profiles found;
  std::ranges::copy(sigmoid.split_with_sizes(lengths, 2), found.s.begin());
  std::ranges::copy(t.split_with_sizes(lengths, 2), found.t.begin());
  return found;
}

std::pair<at::Tensor, at::Tensor> ViolaAttentionImpl::parts(const at::Tensor& x) const {
  const auto [s, t] = profiles(x);
  const auto shaped = [&](const at::Tensor& profile, std::int64_t axis) {
    std::vector<std::int64_t> shape(std::size_t(x.dim()), 1);
    shape[0] = x.size(0);
    shape[1] = x.size(1);
    if (axis + 2 < x.dim()) shape[std::size_t(axis) + 2] = profile.size(2);
    return profile.reshape(shape);
  };
  const auto sx = shaped(s[0], 0), sy = shaped(s[1], 1), sz = shaped(s[2], 2);

  // J + M = xy + z (xy + x + y): what has no z is small, and the whole volume is written in five operations.
  const auto xy = sx * sy;
  const auto v =
      (0.1 * xy + 0.3) + (0.1 * sz) * (xy + sx + sy) + at::relu((shaped(t[0], 0) + shaped(t[1], 1)) + shaped(t[2], 2));
  std::vector<std::int64_t> sample(std::size_t(x.dim()) - 1);
  std::iota(sample.begin(), sample.end(), 1);
  const auto length = v.square().sum(sample, /*keepdim=*/true).sqrt();
  return {v, 1 + 1 / length.clamp_min(norm_epsilon)};
}

at::Tensor ViolaAttentionImpl::forward(const at::Tensor& x) const {
  if (learns(x)) {
    const auto [s, t] = profiles(x);
    return viola_modulation(x, s, t);
  }
  const auto [v, scale] = parts(x);
  return x * v * scale;
}

at::Tensor ViolaAttentionImpl::factor(const at::Tensor& x) const {
  const auto [v, scale] = parts(x);
  return v * scale;
}

}  // namespace ichdet::models
