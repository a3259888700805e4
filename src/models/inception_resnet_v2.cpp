#include "ichdet/models/inception_resnet_v2.hpp"

#include "ichdet/core/error.hpp"
#include "layers.hpp"

namespace ichdet::models {
namespace {

InceptionConv square(std::int64_t channels, std::int64_t kernel, std::int64_t stride = 1) {
  return {channels, kernel, kernel, stride, stride == 1};
}
InceptionConv row(std::int64_t channels, std::int64_t width) { return {channels, 1, width, 1, true}; }
InceptionConv column(std::int64_t channels, std::int64_t height) { return {channels, height, 1, 1, true}; }

InceptionBlockOptions mixed(std::vector<std::vector<InceptionConv>> branches, bool average_last, bool max_pool) {
  InceptionBlockOptions options;
  options.branches = std::move(branches);
  options.average_last = average_last;
  options.max_pool = max_pool;
  return options;
}

InceptionBlockOptions residual(std::vector<std::vector<InceptionConv>> branches, double scale, bool activate = true) {
  InceptionBlockOptions options;
  options.branches = std::move(branches);
  options.scale = scale;
  options.activate = activate;
  return options;
}

const std::vector<std::vector<InceptionConv>> block35 = {
    {square(32, 1)}, {square(32, 1), square(32, 3)}, {square(32, 1), square(48, 3), square(64, 3)}};
const std::vector<std::vector<InceptionConv>> block17 = {{square(192, 1)},
                                                         {square(128, 1), row(160, 7), column(192, 7)}};
const std::vector<std::vector<InceptionConv>> block8 = {{square(192, 1)},
                                                        {square(192, 1), row(224, 3), column(256, 3)}};

}  // namespace

ConvNormReluImpl::ConvNormReluImpl(std::int64_t in_channels, const InceptionConv& s)
    : conv(register_module("conv",
                           torch::nn::Conv2d(torch::nn::Conv2dOptions(in_channels, s.channels, {s.height, s.width})
                                                 .stride(s.stride)
                                                 .padding({s.padded ? s.height / 2 : 0, s.padded ? s.width / 2 : 0})
                                                 .bias(false)))),
      bn(register_module("bn", batch_norm(s.channels, 1e-3))) {}

at::Tensor ConvNormReluImpl::forward(const at::Tensor& x) { return at::relu(bn(conv(x))); }

InceptionBlockImpl::InceptionBlockImpl(std::int64_t in_channels, InceptionBlockOptions chosen)
    : options(std::move(chosen)) {
  for (const auto& shapes : options.branches) {
    const bool averaged = options.average_last && branches.size() + 1 == options.branches.size();
    const auto name = "branch" + std::to_string(branches.size());
    auto& branch = branches.emplace_back();
    auto channels = in_channels;
    for (const auto& shape : shapes) {
      branch.emplace_back(channels, shape);
      channels = shape.channels;
    }
    out_channels += channels;
    if (branch.size() == 1 && !averaged) {
      register_module(name, branch.front());
    } else {
      register_list(*this, name, branch, averaged ? 1 : 0);  // the averages are timm's index 0
    }
  }
  if (options.max_pool) out_channels += in_channels;
  if (options.scale == 0) return;
  conv2d = register_module("conv2d", models::conv2d(out_channels, in_channels, 1, 1, 1, true));
  out_channels = in_channels;
}

at::Tensor InceptionBlockImpl::forward(const at::Tensor& x) {
  std::vector<at::Tensor> parts;
  for (std::size_t i = 0; i < branches.size(); ++i) {
    const bool averaged = options.average_last && i + 1 == branches.size();
    auto part = averaged ? at::avg_pool2d(x, 3, 1, 1, /*ceil_mode=*/false, /*count_include_pad=*/false) : x;
    for (auto& layer : branches[i]) part = layer(part);
    parts.push_back(part);
  }
  if (options.max_pool) parts.push_back(at::max_pool2d(x, 3, 2));
  const auto all = at::cat(parts, 1);
  if (!conv2d) return all;
  const auto sum = conv2d(all) * options.scale + x;
  return options.activate ? at::relu(sum) : sum;
}

InceptionResNetV2Impl::InceptionResNetV2Impl(ClassifierOptions chosen) : Classifier(chosen.in_chans, "conv2d_1a.conv") {
  auto channels = in_chans;
  const auto add = [&](const char* name, const InceptionConv& shape) {
    ConvNormRelu layer(channels, shape);
    channels = shape.channels;
    return register_module(name, layer);
  };
  const InceptionConv valid32 = {32, 3, 3, 1, false}, valid192 = {192, 3, 3, 1, false};
  stem = {add("conv2d_1a", square(32, 3, 2)), add("conv2d_2a", valid32), add("conv2d_2b", square(64, 3)),
          add("conv2d_3b", square(80, 1)), add("conv2d_4a", valid192)};

  const auto block = [&](const InceptionBlockOptions& options) {
    blocks.emplace_back(channels, options);
    channels = blocks.back()->out_channels;
    return blocks.back();
  };
  const auto repeat = [&](const char* name, int times, const InceptionBlockOptions& options) {
    std::vector<InceptionBlock> list;
    for (int i = 0; i < times; ++i) list.push_back(block(options));
    register_list(*this, name, list);
  };
  register_module("mixed_5b", block(mixed({{square(96, 1)},
                                           {square(48, 1), square(64, 5)},
                                           {square(64, 1), square(96, 3), square(96, 3)},
                                           {square(64, 1)}},
                                          /*average_last=*/true, /*max_pool=*/false)));
  repeat("repeat", 10, residual(block35, 0.17));
  register_module("mixed_6a", block(mixed({{square(384, 3, 2)}, {square(256, 1), square(256, 3), square(384, 3, 2)}},
                                          /*average_last=*/false, /*max_pool=*/true)));
  repeat("repeat_1", 20, residual(block17, 0.10));
  register_module("mixed_7a", block(mixed({{square(256, 1), square(384, 3, 2)},
                                           {square(256, 1), square(288, 3, 2)},
                                           {square(256, 1), square(288, 3), square(320, 3, 2)}},
                                          /*average_last=*/false, /*max_pool=*/true)));
  repeat("repeat_2", 9, residual(block8, 0.20));
  register_module("block8", block(residual(block8, 1.0, /*activate=*/false)));
  last = add("conv2d_7b", square(1536, 1));
  make_classifier("", "classif", channels, chosen.num_classes);
}

at::Tensor InceptionResNetV2Impl::forward_features(const at::Tensor& x) {
  expect_images(x, in_chans, "InceptionResNetV2");
  if (x.size(2) < 75 || x.size(3) < 75) {
    throw Error::mismatch(ErrorCode::shape, "InceptionResNetV2's input", "height and width of 75 or more",
                          c10::str(x.sizes()));
  }
  auto out = x;
  for (std::size_t i = 0; i < stem.size(); ++i) {
    out = stem[i](out);
    if (i == 2 || i == 4) out = at::max_pool2d(out, 3, 2);
  }
  for (auto& block : blocks) out = block(out);
  return last(out);
}

at::Tensor InceptionResNetV2Impl::forward_pool(const at::Tensor& features) { return global_average(features); }

}  // namespace ichdet::models
