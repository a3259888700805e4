#include "ichdet/models/mobilenet.hpp"

#include "layers.hpp"

namespace ichdet::models {
namespace {

// repeats, kernel, stride, expansion, channels
const std::vector<MobileStage> v1_stages = {
    {1, 3, 1, 1, 64}, {2, 3, 2, 1, 128}, {2, 3, 2, 1, 256}, {6, 3, 2, 1, 512}, {2, 3, 2, 1, 1024}};
const std::vector<MobileStage> v2_stages = {{1, 3, 1, 1, 16}, {2, 3, 2, 6, 24},  {3, 3, 2, 6, 32}, {4, 3, 2, 6, 64},
                                            {3, 3, 1, 6, 96}, {3, 3, 2, 6, 160}, {1, 3, 1, 6, 320}};

MobileStyle style(bool activate_pointwise) {
  MobileStyle made;
  made.activation = Activation2d::relu6;
  made.activate_pointwise = activate_pointwise;
  return made;
}

}  // namespace

MobileNetV1Impl::MobileNetV1Impl(ClassifierOptions options)
    : Classifier(options.in_chans, "conv_stem"), trunk(*this, in_chans, 32, v1_stages, style(true)) {
  make_classifier("", "classifier", 1024, options.num_classes);
}

at::Tensor MobileNetV1Impl::forward_features(const at::Tensor& x) {
  expect_images(x, in_chans, "MobileNetV1");
  return trunk.forward(x).back();
}

at::Tensor MobileNetV1Impl::forward_pool(const at::Tensor& features) { return global_average(features); }

MobileNetV2Impl::MobileNetV2Impl(ClassifierOptions options)
    : Classifier(options.in_chans, "conv_stem"),
      trunk(*this, in_chans, 32, v2_stages, style(false)),
      conv_head(register_module("conv_head", conv2d(320, 1280, 1))),
      bn2(register_module("bn2", batch_norm(1280))) {
  make_classifier("", "classifier", 1280, options.num_classes);
}

at::Tensor MobileNetV2Impl::forward_features(const at::Tensor& x) {
  expect_images(x, in_chans, "MobileNetV2");
  return at::relu6(bn2(conv_head(trunk.forward(x).back())));
}

at::Tensor MobileNetV2Impl::forward_pool(const at::Tensor& features) { return global_average(features); }

}  // namespace ichdet::models
