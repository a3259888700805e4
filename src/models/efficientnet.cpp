#include "ichdet/models/efficientnet.hpp"

#include "layers.hpp"
#include "options.hpp"

namespace ichdet::models {
namespace {

// repeats, kernel, stride, expansion, channels
const std::vector<MobileStage> b0_stages = {{1, 3, 1, 1, 16},  {2, 3, 2, 6, 24},  {2, 5, 2, 6, 40}, {3, 3, 2, 6, 80},
                                            {3, 5, 1, 6, 112}, {4, 5, 2, 6, 192}, {1, 3, 1, 6, 320}};

}  // namespace

EfficientNetOptions EfficientNetOptions::from_json(const nlohmann::json& json, const std::string& subject) {
  EfficientNetOptions options;
  OptionReader reader(json, subject);
  read_channels_and_classes(reader, options);
  reader.read("tf_same_padding", options.tf_same_padding);
  reader.finish();
  return options;
}

MobileTrunk efficientnet_b0_trunk(torch::nn::Module& owner, std::int64_t in_channels, bool tf_same_padding) {
  MobileStyle style;
  style.squeeze = 0.25;
  style.tf_same_padding = tf_same_padding;
  return {owner, in_channels, 32, b0_stages, style};
}

EfficientNetImpl::EfficientNetImpl(EfficientNetOptions chosen)
    : Classifier(chosen.in_chans, "conv_stem"),
      options(chosen),
      trunk(efficientnet_b0_trunk(*this, options.in_chans, options.tf_same_padding)),
      conv_head(register_module("conv_head", conv2d(320, 1280, 1))),
      bn2(register_module("bn2", batch_norm(1280, options.tf_same_padding ? 1e-3 : 1e-5))) {
  make_classifier("", "classifier", 1280, options.num_classes);
}

at::Tensor EfficientNetImpl::forward_features(const at::Tensor& x) {
  expect_images(x, options.in_chans, "EfficientNet");
  return at::silu(bn2(conv_head(trunk.forward(x).back())));
}

at::Tensor EfficientNetImpl::forward_pool(const at::Tensor& features) { return global_average(features); }

}  // namespace ichdet::models
