#include "ichdet/models/efficient_classification.hpp"

#include <array>
#include <variant>

#include "ichdet/core/error.hpp"
#include "layers.hpp"
#include "options.hpp"

namespace ichdet::models {
namespace {

struct Deconvolution {
  std::int64_t channels, kernel, stride, padding, dilation;
};

// S1, figure A5.
const std::vector<Deconvolution> deconvolutions = {
    {16, 19, 3, 1, 2}, {12, 9, 7, 1, 1}, {8, 24, 9, 2, 4}, {4, 28, 9, 1, 6}, {2, 30, 8, 2, 7}};

/// A transposed convolution as a product, whose columns are then added where they belong. The same numbers in another
/// order; LibTorch's own, with a dilation, takes several times as long to learn.
at::Tensor as_product(torch::nn::ConvTranspose2d& layer, const at::Tensor& x) {
  const auto& options = layer->options;
  const auto kernel = options.kernel_size()->at(0), stride = options.stride()->at(0),
             dilation = options.dilation()->at(0);
  const auto padding = std::get<torch::ExpandingArray<2>>(options.padding())->at(0);
  const auto size = [&](std::int64_t axis) {
    return (x.size(axis) - 1) * stride - 2 * padding + dilation * (kernel - 1) + 1;
  };
  const auto weight = layer->weight.flatten(1).t().expand({x.size(0), -1, -1});
  const auto columns = at::bmm(weight, x.flatten(2));
  const std::array<std::int64_t, 2> kernels{kernel, kernel}, dilations{dilation, dilation}, paddings{padding, padding},
      strides{stride, stride}, sizes{size(2), size(3)};
  return at::col2im(columns, sizes, kernels, dilations, paddings, strides) + layer->bias.view({1, -1, 1, 1});
}

ResNetOptions resnet_options(std::int64_t num_classes) {
  ResNetOptions options;
  options.num_classes = num_classes;
  return options;
}

}  // namespace

EfficientClassificationOptions EfficientClassificationOptions::from_json(const nlohmann::json& json,
                                                                         const std::string& subject) {
  EfficientClassificationOptions options;
  OptionReader reader(json, subject);
  read_channels_and_classes(reader, options);
  reader.read("tf_same_padding", options.tf_same_padding);
  reader.finish();
  return options;
}

EfficientClassificationImpl::EfficientClassificationImpl(EfficientClassificationOptions chosen)
    : Classifier(chosen.in_chans, "effdet.backbone.conv_stem"),
      options(chosen),
      effdet(register_module("effdet", EfficientDet(options.in_chans, options.tf_same_padding))),
      conv0(nullptr),
      conv1(nullptr),
      resnet(nullptr) {
  std::int64_t channels = 0;
  for (const auto& d : deconvolutions) {
    deconv.push_back(
        register_module("deconv" + std::to_string(deconv.size()),
                        torch::nn::ConvTranspose2d(torch::nn::ConvTranspose2dOptions(64, d.channels, d.kernel)
                                                       .stride(d.stride)
                                                       .padding(d.padding)
                                                       .dilation(d.dilation))));
    channels += d.channels;
  }
  conv0 = register_module("conv0", conv2d(channels, 16, 5, 1, 1, true));
  conv1 = register_module("conv1", conv2d(16, 3, 3, 1, 1, true));
  resnet = register_module("resnet", ResNet(resnet_options(options.num_classes)));
  classifier = resnet->classifier;
  num_features = resnet->num_features;
  classifier_name = "resnet." + resnet->classifier_name;
}

std::vector<at::Tensor> EfficientClassificationImpl::pyramid(const at::Tensor& x) {
  expect_images(x, options.in_chans, "EfficientClassification");
  for (const auto axis : {2, 3}) {
    if (x.size(axis) > 504 && x.size(axis) <= 512) continue;
    throw Error::mismatch(ErrorCode::shape, "EfficientClassification's input", "height and width of 505 to 512",
                          c10::str(x.sizes()));
  }
  return effdet(x);
}

at::Tensor EfficientClassificationImpl::fuse(const std::vector<at::Tensor>& maps) {
  std::vector<at::Tensor> large;
  for (std::size_t i = 0; i < deconv.size(); ++i) {
    const bool learns = at::GradMode::is_enabled() && maps[i].requires_grad();
    large.push_back(learns ? as_product(deconv[i], maps[i]) : deconv[i](maps[i]));
  }
  return conv1(conv0(at::cat(large, 1)));
}

at::Tensor EfficientClassificationImpl::forward_features(const at::Tensor& x) {
  return resnet->forward_features(fuse(pyramid(x)));
}

at::Tensor EfficientClassificationImpl::forward_pool(const at::Tensor& features) {
  return resnet->forward_pool(features);
}

void EfficientClassificationImpl::reset_classifier(std::int64_t num_classes) {
  resnet->reset_classifier(num_classes);
  classifier = resnet->classifier;
}

}  // namespace ichdet::models
