#include "ichdet/models/resnet.hpp"

#include "layers.hpp"
#include "options.hpp"

namespace ichdet::models {

ResNetOptions ResNetOptions::from_json(const nlohmann::json& json, const std::string& subject) {
  ResNetOptions options;
  OptionReader reader(json, subject);
  read_channels_and_classes(reader, options);
  reader.read("layers", options.layers);
  reader.finish();
  reader.check(options.layers.size() == 4, "layers: expected 4 of them");
  for (const auto blocks : options.layers) reader.within("layers", blocks, 1, 64);
  return options;
}

BasicBlockImpl::BasicBlockImpl(std::int64_t in_channels, std::int64_t channels, std::int64_t stride)
    : conv1(register_module("conv1", conv2d(in_channels, channels, 3, stride))),
      conv2(register_module("conv2", conv2d(channels, channels, 3))),
      bn1(register_module("bn1", batch_norm(channels))),
      bn2(register_module("bn2", batch_norm(channels))) {
  if (stride == 1 && in_channels == channels) return;
  auto downsample = register_module("downsample", std::make_shared<torch::nn::Module>());
  downsample_conv = downsample->register_module("0", conv2d(in_channels, channels, 1, stride));
  downsample_bn = downsample->register_module("1", batch_norm(channels));
}

at::Tensor BasicBlockImpl::forward(const at::Tensor& x) {
  const auto shortcut = downsample_conv ? downsample_bn(downsample_conv(x)) : x;
  return at::relu(bn2(conv2(at::relu(bn1(conv1(x))))) + shortcut);
}

ResNetImpl::ResNetImpl(ResNetOptions chosen) : Classifier(chosen.in_chans, "conv1"), options(std::move(chosen)) {
  conv1 = register_module("conv1", conv2d(options.in_chans, 64, 7, 2));
  bn1 = register_module("bn1", batch_norm(64));
  std::int64_t in_channels = 64;
  for (std::size_t stage = 0; stage < 4; ++stage) {
    const std::int64_t channels = 64 << stage;
    auto& blocks = layers.emplace_back();
    for (std::int64_t i = 0; i < options.layers[stage]; ++i) {
      blocks.emplace_back(in_channels, channels, i == 0 && stage > 0 ? 2 : 1);
      in_channels = channels;
    }
    register_list(*this, "layer" + std::to_string(stage + 1), blocks);
  }
  make_classifier("", "fc", in_channels, options.num_classes);
}

at::Tensor ResNetImpl::forward_features(const at::Tensor& x) {
  expect_images(x, options.in_chans, "ResNet");
  auto out = at::max_pool2d(at::relu(bn1(conv1(x))), 3, 2, 1);
  for (auto& blocks : layers) {
    for (auto& block : blocks) out = block(out);
  }
  return out;
}

at::Tensor ResNetImpl::forward_pool(const at::Tensor& features) { return global_average(features); }

}  // namespace ichdet::models
