#include "ichdet/models/mobile_trunk.hpp"

#include <cmath>

#include "layers.hpp"
#include "same_padding.hpp"

namespace ichdet::models {
namespace {

at::Tensor activate(const at::Tensor& x, Activation2d activation) {
  switch (activation) {
    case Activation2d::relu: return at::relu(x);
    case Activation2d::relu6: return at::relu6(x);
    default: return at::silu(x);
  }
}

torch::nn::BatchNorm2d norm(std::int64_t channels, const MobileStyle& style) {
  return batch_norm(channels, style.tf_same_padding ? 1e-3 : 1e-5);
}

}  // namespace

MobileBlockImpl::MobileBlockImpl(std::int64_t in_channels, std::int64_t channels, std::int64_t kernel,
                                 std::int64_t stride, std::int64_t expansion, const MobileStyle& chosen)
    : style(chosen), shortcut(stride == 1 && in_channels == channels && !chosen.activate_pointwise) {
  const auto wide = in_channels * expansion;
  int norms = 0;
  const auto next_norm = [&](std::int64_t c) {
    return register_module("bn" + std::to_string(++norms), norm(c, style));
  };
  if (expansion > 1) {
    expand = register_module("conv_pw", conv2d(in_channels, wide, 1));
    expand_norm = next_norm(wide);
  }
  depthwise = register_module("conv_dw", conv2d(wide, wide, kernel, stride, wide));
  depthwise_norm = next_norm(wide);
  if (style.squeeze > 0) {
    const auto narrow = std::max<std::int64_t>(1, std::lround(double(in_channels) * style.squeeze));
    auto se = register_module("se", std::make_shared<torch::nn::Module>());
    squeeze = se->register_module("conv_reduce", conv2d(wide, narrow, 1, 1, 1, true));
    excite = se->register_module("conv_expand", conv2d(narrow, wide, 1, 1, 1, true));
  }
  project = register_module(expansion > 1 ? "conv_pwl" : "conv_pw", conv2d(wide, channels, 1));
  project_norm = next_norm(channels);
}

at::Tensor MobileBlockImpl::forward(const at::Tensor& x) {
  auto out = x;
  if (expand) out = activate(expand_norm(expand(out)), style.activation);
  out = activate(depthwise_norm(convolve(depthwise, out, style.tf_same_padding)), style.activation);
  if (squeeze) {
    const auto gate = excite(activate(squeeze(out.mean({2, 3}, /*keepdim=*/true)), style.activation));
    out = out * at::sigmoid(gate);
  }
  out = project_norm(project(out));
  if (style.activate_pointwise) out = activate(out, style.activation);
  return shortcut ? out + x : out;
}

MobileTrunk::MobileTrunk(torch::nn::Module& owner, std::int64_t in_channels, std::int64_t stem_channels,
                         const std::vector<MobileStage>& stages, const MobileStyle& chosen)
    : style(chosen),
      conv_stem(owner.register_module("conv_stem", conv2d(in_channels, stem_channels, 3, 2))),
      bn1(owner.register_module("bn1", norm(stem_channels, chosen))) {
  auto all = owner.register_module("blocks", std::make_shared<torch::nn::Module>());
  auto width = stem_channels;
  for (const auto& stage : stages) {
    auto& row = blocks.emplace_back();
    for (std::int64_t i = 0; i < stage.repeats; ++i) {
      row.emplace_back(width, stage.channels, stage.kernel, i == 0 ? stage.stride : 1, stage.expansion, style);
      width = stage.channels;
    }
    register_list(*all, std::to_string(blocks.size() - 1), row);
  }
}

std::vector<at::Tensor> MobileTrunk::forward(const at::Tensor& x) {
  std::vector<at::Tensor> stages;
  auto out = activate(bn1(convolve(conv_stem, x, style.tf_same_padding)), style.activation);
  for (auto& row : blocks) {
    for (auto& block : row) out = block(out);
    stages.push_back(out);
  }
  return stages;
}

}  // namespace ichdet::models
