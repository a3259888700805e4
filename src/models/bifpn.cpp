#include "ichdet/models/bifpn.hpp"

#include "ichdet/models/efficientnet.hpp"
#include "layers.hpp"
#include "same_padding.hpp"

namespace ichdet::models {
namespace {

constexpr std::int64_t fpn_channels = 64;
constexpr std::size_t fpn_levels = 5, fpn_layers = 3;

struct Node {
  std::size_t level;
  std::vector<std::size_t> inputs;
};

// effdet's bifpn_config(3, 7): down to the finest level and up again.
const std::vector<Node> nodes = {{3, {3, 4}},    {2, {2, 5}},    {1, {1, 6}},     {0, {0, 7}},
                                 {1, {1, 7, 8}}, {2, {2, 6, 9}}, {3, {3, 5, 10}}, {4, {4, 11}}};

std::size_t level_of(std::size_t map) { return map < fpn_levels ? map : nodes[map - fpn_levels].level; }

torch::nn::BatchNorm2d norm(std::int64_t channels) { return batch_norm(channels, 1e-3, 0.01); }

}  // namespace

FpnResampleImpl::FpnResampleImpl(std::int64_t in_channels, std::int64_t channels, int levels_to_go, bool tf)
    : levels(levels_to_go), tf_same_padding(tf) {
  if (in_channels == channels) return;
  auto layer = register_module("conv", std::make_shared<torch::nn::Module>());
  conv = layer->register_module("conv", conv2d(in_channels, channels, 1, 1, 1, /*bias=*/tf));
  bn = layer->register_module("bn", norm(channels));
}

at::Tensor FpnResampleImpl::forward(const at::Tensor& x, at::IntArrayRef size) {
  const auto out = conv ? bn(conv(x)) : x;
  if (levels < 0) return at::upsample_nearest2d(out, size);
  if (levels == 0) return out;
  if (!tf_same_padding) return at::max_pool2d(out, 3, 2, 1);
  const auto padding = same_padding(out, 3, 2);
  return at::max_pool2d(at::constant_pad_nd(out, padding, -std::numeric_limits<double>::infinity()), 3, 2);
}

FpnNodeImpl::FpnNodeImpl(std::size_t own_level, std::vector<std::size_t> read,
                         const std::vector<std::int64_t>& input_channels, std::int64_t channels, bool tf)
    : level(own_level), inputs(std::move(read)) {
  auto combine = register_module("combine", std::make_shared<torch::nn::Module>());
  auto list = combine->register_module("resample", std::make_shared<torch::nn::Module>());
  for (const auto input : inputs) {
    const auto width = input < input_channels.size() ? input_channels[input] : channels;
    resample.emplace_back(width, channels, int(level) - int(level_of(input)), tf);
    list->register_module(std::to_string(input), resample.back());
  }
  edge_weights = combine->register_parameter("edge_weights", at::ones({std::int64_t(inputs.size())}));
  auto after = register_module("after_combine", std::make_shared<torch::nn::Module>());
  auto separable = after->register_module("conv", std::make_shared<torch::nn::Module>());
  depthwise = separable->register_module("conv_dw", conv2d(channels, channels, 3, 1, channels));
  pointwise = separable->register_module("conv_pw", conv2d(channels, channels, 1, 1, 1, /*bias=*/tf));
  bn = separable->register_module("bn", norm(channels));
}

at::Tensor FpnNodeImpl::forward(const std::vector<at::Tensor>& maps) {
  const auto size = maps[level].sizes().slice(2);
  const auto positive = at::relu(edge_weights);
  const auto weights = positive / (positive.sum() + 1e-4);
  at::Tensor sum;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const auto term = resample[i](maps[inputs[i]], size) * weights[std::int64_t(i)];
    sum = i == 0 ? term : sum + term;
  }
  return bn(pointwise(depthwise_convolution(depthwise, at::silu(sum))));
}

BiFpnImpl::BiFpnImpl(const std::vector<std::int64_t>& input_channels, bool tf) {
  auto widths = input_channels;
  auto list = register_module("resample", std::make_shared<torch::nn::Module>());
  while (widths.size() < fpn_levels) {
    resample.emplace_back(widths.back(), fpn_channels, 1, tf);
    list->register_module(std::to_string(widths.size()), resample.back());
    widths.push_back(fpn_channels);
  }
  auto all = register_module("cell", std::make_shared<torch::nn::Module>());
  for (std::size_t i = 0; i < fpn_layers; ++i) {
    auto layer = all->register_module(std::to_string(i), std::make_shared<torch::nn::Module>());
    auto& row = cells.emplace_back();
    for (const auto& node : nodes) row.emplace_back(node.level, node.inputs, widths, fpn_channels, tf);
    register_list(*layer, "fnode", row);
    widths.assign(fpn_levels, fpn_channels);
  }
}

std::vector<at::Tensor> BiFpnImpl::forward(std::vector<at::Tensor> maps) {
  for (auto& coarser : resample) maps.push_back(coarser(maps.back(), at::IntArrayRef()));
  for (auto& row : cells) {
    for (auto& node : row) maps.push_back(node(maps));
    maps.erase(maps.begin(), maps.end() - std::ptrdiff_t(fpn_levels));
  }
  return maps;
}

EfficientNetStagesImpl::EfficientNetStagesImpl(std::int64_t in_channels, bool tf)
    : trunk(efficientnet_b0_trunk(*this, in_channels, tf)) {}

std::vector<at::Tensor> EfficientNetStagesImpl::forward(const at::Tensor& x) {
  const auto stages = trunk.forward(x);
  return {stages[2], stages[4], stages[6]};
}

EfficientDetImpl::EfficientDetImpl(std::int64_t in_channels, bool tf)
    : backbone(register_module("backbone", EfficientNetStages(in_channels, tf))),
      fpn(register_module("fpn", BiFpn(std::vector<std::int64_t>{40, 112, 320}, tf))) {}

std::vector<at::Tensor> EfficientDetImpl::forward(const at::Tensor& x) { return fpn(backbone(x)); }

}  // namespace ichdet::models
