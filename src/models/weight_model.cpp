#include "ichdet/models/weight_model.hpp"

#include "layers.hpp"
#include "options.hpp"

namespace ichdet::models {

WeightModelOptions WeightModelOptions::from_json(const nlohmann::json& json, const std::string& subject) {
  WeightModelOptions options;
  OptionReader reader(json, subject);
  read_channels_and_classes(reader, options);
  reader.read("filters", options.filters);
  reader.finish();
  reader.check(options.in_chans == options.num_classes, "num_classes: expected as many as in_chans");
  reader.check(!options.filters.empty() && options.filters.size() <= 8, "filters: expected 1 to 8 of them");
  for (const auto width : options.filters) reader.within("filters", width, 1, 4096);
  return options;
}

WeightModelImpl::WeightModelImpl(WeightModelOptions chosen)
    : Classifier(chosen.in_chans, "convs.0.conv"), options(std::move(chosen)) {
  auto channels = in_chans;
  for (const auto width : options.filters) {
    convs.emplace_back(channels, width, 3, 2);
    channels = width;
  }
  register_list(*this, "convs", convs);
  make_classifier("", "fc", channels, options.num_classes);
}

at::Tensor WeightModelImpl::forward_features(const at::Tensor& x) {
  expect_images(x, in_chans, "WeightModel");
  auto out = x;
  for (auto& conv : convs) out = conv(out);
  return out;
}

at::Tensor WeightModelImpl::forward_pool(const at::Tensor& features) { return global_average(features); }

}  // namespace ichdet::models
