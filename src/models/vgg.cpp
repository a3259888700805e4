#include "ichdet/models/vgg.hpp"

#include "ichdet/nn/state_dict.hpp"
#include "layers.hpp"

namespace ichdet::models {
namespace {

struct Stage {
  std::int64_t layers, channels;
};
constexpr Stage stages[] = {{2, 64}, {2, 128}, {4, 256}, {4, 512}, {4, 512}};
constexpr std::int64_t head_size = 7, hidden = 4096;

}  // namespace

VggImpl::VggImpl(ClassifierOptions options) : Classifier(options.in_chans, "features.0") {
  auto list = register_module("features", std::make_shared<torch::nn::Module>());
  auto channels = in_chans;
  int index = 0;
  for (const auto& stage : stages) {
    auto& row = features.emplace_back();
    for (std::int64_t i = 0; i < stage.layers; ++i, index += 2) {  // each is followed by a ReLU
      row.push_back(list->register_module(std::to_string(index), conv2d(channels, stage.channels, 3, 1, 1, true)));
      channels = stage.channels;
    }
    ++index;  // a pooling
  }
  auto pre_logits = register_module("pre_logits", std::make_shared<torch::nn::Module>());
  fc1 = pre_logits->register_module("fc1", torch::nn::Conv2d(torch::nn::Conv2dOptions(channels, hidden, head_size)));
  fc2 = pre_logits->register_module("fc2", conv2d(hidden, hidden, 1, 1, 1, true));
  register_module("head", std::make_shared<torch::nn::Module>());
  make_classifier("head", "fc", hidden, options.num_classes);
}

at::Tensor VggImpl::forward_features(const at::Tensor& x) {
  expect_images(x, in_chans, "VGG");
  auto out = x;
  for (auto& row : features) {
    for (auto& conv : row) out = at::relu(conv(out));
    out = at::max_pool2d(out, 2, 2);
  }
  return out;
}

at::Tensor VggImpl::forward_pool(const at::Tensor& features) {
  auto x = features;
  const auto height = x.size(2), width = x.size(3);
  if (height < head_size || width < head_size) {
    x = at::adaptive_avg_pool2d(x, {std::max(height, head_size), std::max(width, head_size)});
  }
  return global_average(at::relu(fc2(at::relu(fc1(x)))));
}

void VggImpl::rename_published(StateDict& weights) const {
  const std::pair<std::string, std::string> names[] = {
      {"classifier.0.", "pre_logits.fc1."}, {"classifier.3.", "pre_logits.fc2."}, {"classifier.6.", "head.fc."}};
  for (const auto& [theirs, ours] : names) {
    for (const auto* part : {"weight", "bias"}) {
      auto node = weights.tensors.extract(theirs + part);
      if (node.empty()) continue;
      node.key() = ours + part;
      auto& tensor = node.mapped();
      if (tensor.dim() == 2 && tensor.size(1) == fc1->weight[0].numel()) tensor = tensor.reshape({-1, 512, 7, 7});
      if (tensor.dim() == 2 && ours == "pre_logits.fc2.") tensor = tensor.unsqueeze(2).unsqueeze(3);
      weights.tensors.insert(std::move(node));
    }
  }
}

}  // namespace ichdet::models
