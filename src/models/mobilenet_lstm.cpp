#include "ichdet/models/mobilenet_lstm.hpp"

#include "ichdet/core/error.hpp"
#include "layers.hpp"
#include "options.hpp"

namespace ichdet::models {
namespace {

ClassifierOptions without_classes(std::int64_t in_chans) {
  ClassifierOptions options;
  options.in_chans = in_chans;
  options.num_classes = 0;
  return options;
}

}  // namespace

MobileNetLstmOptions MobileNetLstmOptions::from_json(const nlohmann::json& json, const std::string& subject) {
  MobileNetLstmOptions options;
  OptionReader reader(json, subject);
  read_channels_and_classes(reader, options);
  reader.read("hidden_size", options.hidden_size, 1, 65536);
  reader.finish();
  return options;
}

MobileNetLstmImpl::MobileNetLstmImpl(MobileNetLstmOptions chosen)
    : Classifier(chosen.in_chans, "backbone.conv_stem"),
      options(chosen),
      backbone(register_module("backbone", MobileNetV1(without_classes(in_chans)))),
      lstm(register_module(
          "lstm",
          torch::nn::LSTM(torch::nn::LSTMOptions(backbone->num_features, options.hidden_size).batch_first(true)))) {
  make_classifier("", "classifier", options.hidden_size, options.num_classes);
}

at::Tensor MobileNetLstmImpl::forward_features(const at::Tensor& x) {
  if (x.dim() != 5 || x.size(1) < 1 || x.size(2) != in_chans) {
    throw Error::mismatch(ErrorCode::shape, "MobileNetLSTM's input", c10::str("(N, slices, ", in_chans, ", H, W)"),
                          c10::str(x.sizes()));
  }
  return backbone->forward_features(x.flatten(0, 1)).unflatten(0, {x.size(0), x.size(1)});
}

at::Tensor MobileNetLstmImpl::forward_pool(const at::Tensor& features) {
  const auto slices = features.mean({3, 4});
  return std::get<0>(lstm(slices)).select(1, slices.size(1) - 1);
}

}  // namespace ichdet::models
