#include "ichdet/models/mindgrab.hpp"

#include <ATen/Functions.h>

#include "options.hpp"

namespace ichdet::models {

MindGrabOptions MindGrabOptions::from_json(const nlohmann::json& json, const std::string& subject) {
  MindGrabOptions options;
  OptionReader reader(json, subject);
  reader.read("in_channels", options.in_channels, 1, 64);
  reader.read("num_classes", options.num_classes, 1, 256);
  reader.read("channels", options.channels, 1, 1024);
  reader.read("dilations", options.dilations);
  reader.check(!options.dilations.empty() && options.dilations.size() <= 256, "dilations: expected 1 to 256 numbers");
  for (const auto dilation : options.dilations) reader.within("dilations", dilation, 1, 256);
  reader.finish();
  return options;
}

MindGrabImpl::MindGrabImpl(MindGrabOptions chosen)
    : SegmentationNetwork(chosen.in_channels, chosen.num_classes, {1, 1, 1}), options(std::move(chosen)) {
  auto model = register_module("model", std::make_shared<torch::nn::Module>());
  auto channels = options.in_channels;
  for (const auto dilation : options.dilations) {
    const auto name = std::to_string(blocks.size());
    auto& conv = blocks.emplace_back(
        torch::nn::Conv3dOptions(channels, options.channels, 3).padding(dilation).dilation(dilation).bias(false));
    model->register_module(name, std::make_shared<torch::nn::Module>())->register_module("0", conv);
    channels = options.channels;
  }
  last = model->register_module(std::to_string(blocks.size()),
                                torch::nn::Conv3d(torch::nn::Conv3dOptions(channels, options.num_classes, 1)));
}

at::Tensor MindGrabImpl::forward_features(const at::Tensor& x) {
  expect_input(x, "MindGrab");
  auto out = x;
  for (auto& conv : blocks) {
    out = at::gelu(at::instance_norm(conv(out), {}, {}, {}, {}, /*use_input_stats=*/true, 0, 1e-5, false));
  }
  return out;
}

at::Tensor MindGrabImpl::forward_head(const at::Tensor& features) { return last(features); }

}  // namespace ichdet::models
