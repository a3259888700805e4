#include "ichdet/models/classifier.hpp"

#include "ichdet/core/error.hpp"
#include "options.hpp"

namespace ichdet::models {

ClassifierOptions ClassifierOptions::from_json(const nlohmann::json& json, const std::string& subject) {
  ClassifierOptions options;
  OptionReader reader(json, subject);
  read_channels_and_classes(reader, options);
  reader.finish();
  return options;
}

Classifier::Classifier(std::int64_t channels, std::string first)
    : in_chans(channels), first_convolution(std::move(first)) {}

at::Tensor Classifier::forward_head(const at::Tensor& features) {
  const auto pooled = forward_pool(features);
  return classifier ? classifier(pooled) : pooled;
}

void Classifier::make_classifier(const std::string& owner, const std::string& name, std::int64_t features,
                                 std::int64_t num_classes) {
  classifier_name = owner.empty() ? name : owner + "." + name;
  num_features = features;
  Classifier::reset_classifier(num_classes);
}

void Classifier::reset_classifier(std::int64_t num_classes) {
  if (num_classes < 0) {
    throw Error::mismatch(ErrorCode::options, "reset_classifier: num_classes", "0 or more",
                          std::to_string(num_classes));
  }
  const auto dot = classifier_name.rfind('.');
  torch::nn::Module& owner =
      dot == std::string::npos ? *this : *named_modules("", /*include_self=*/false)[classifier_name.substr(0, dot)];
  const auto name = classifier_name.substr(dot == std::string::npos ? 0 : dot + 1);
  if (classifier) owner.unregister_module(name);
  classifier = nullptr;
  if (num_classes == 0) return;
  classifier = torch::nn::Linear(num_features, num_classes);
  classifier->train(is_training());
  owner.register_module(name, classifier);
}

}  // namespace ichdet::models
