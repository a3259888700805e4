#include "ichdet/models/inception_unet.hpp"

#include <ATen/Functions.h>

#include "layers.hpp"
#include "unet_options.hpp"

namespace ichdet::models {
namespace {

InceptionUNetOptions checked(InceptionUNetOptions options) {
  options.check("InceptionUNet");
  return options;
}

Axes multiple(const InceptionUNetOptions& options) {
  return Axes(2, std::int64_t(1) << (std::max<std::size_t>(options.filters.size(), 1) - 1));
}

}  // namespace

InceptionUNetOptions InceptionUNetOptions::from_json(const nlohmann::json& json, const std::string& subject) {
  InceptionUNetOptions options;
  OptionReader reader(json, subject);
  reader.read("in_channels", options.in_channels);
  reader.read("num_classes", options.num_classes);
  reader.read("filters", options.filters);
  reader.finish();
  options.check(subject);
  return options;
}

void InceptionUNetOptions::check(const std::string& subject) const {
  const nlohmann::json none = nlohmann::json::object();
  const OptionReader reader(none, subject);
  reader.within("in_channels", in_channels, 1, 4096);
  reader.within("num_classes", num_classes, 1, 4096);
  reader.check(filters.size() >= 2 && filters.size() <= 8, "filters: expected 2 to 8 of them");
  for (const auto width : filters) {
    reader.within("filters", width, 4, 4096);
    reader.check(width % 4 == 0, "filters: expected multiples of 4, found " + std::to_string(width));
  }
}

ConvNormImpl::ConvNormImpl(std::int64_t in_channels, std::int64_t out_channels, std::int64_t kernel,
                           std::int64_t stride)
    : conv(register_module("conv", convolution(in_channels, out_channels, Axes(2, kernel), Axes(2, stride), false))),
      norm(register_module("norm", Norm(NormKind::batch, out_channels))) {}

at::Tensor ConvNormImpl::forward(const at::Tensor& x) { return at::relu(norm(conv(x))); }

InceptionModuleImpl::InceptionModuleImpl(std::int64_t in_channels, std::int64_t out_channels)
    : branch1(register_module("branch1", ConvNorm(in_channels, out_channels / 4, 1))),
      branch3_reduce(register_module("branch3_reduce", ConvNorm(in_channels, out_channels / 4, 1))),
      branch3(register_module("branch3", ConvNorm(out_channels / 4, out_channels / 4, 3))),
      branch5_reduce(register_module("branch5_reduce", ConvNorm(in_channels, out_channels / 4, 1))),
      branch5(register_module("branch5", ConvNorm(out_channels / 4, out_channels / 4, 5))),
      branch_pool(register_module("branch_pool", ConvNorm(in_channels, out_channels / 4, 1))) {}

at::Tensor InceptionModuleImpl::forward(const at::Tensor& x) {
  return at::cat(
      {branch1(x), branch3(branch3_reduce(x)), branch5(branch5_reduce(x)), branch_pool(at::max_pool2d(x, 3, 1, 1))}, 1);
}

InceptionUNetImpl::InceptionUNetImpl(InceptionUNetOptions chosen)
    : SegmentationNetwork(chosen.in_channels, chosen.num_classes, multiple(chosen)),
      options(checked(std::move(chosen))) {
  auto channels = options.in_channels;
  for (const auto width : options.filters) {
    encoder.emplace_back(channels, width);
    channels = width;
  }
  for (auto level = options.filters.size() - 1; level-- > 0;) {
    const auto width = options.filters[level];
    ups.push_back(upsampling(channels, width, {2, 2}, /*with_bias=*/true));
    decoder.emplace_back(2 * width, width);
    channels = width;
  }
  register_list(*this, "encoder", encoder);
  register_list(*this, "ups", ups);
  register_list(*this, "decoder", decoder);
  head = register_module("head", pointwise(channels, options.num_classes, 2));
}

at::Tensor InceptionUNetImpl::forward_features(const at::Tensor& x) {
  expect_input(x, "InceptionUNet");
  std::vector<at::Tensor> skips;
  auto out = x;
  for (std::size_t level = 0; level < encoder.size(); ++level) {
    if (level > 0) out = at::max_pool2d(out, 2, 2);
    skips.push_back(out = encoder[level](out));
  }
  for (std::size_t i = 0; i < decoder.size(); ++i) {
    out = decoder[i](at::cat({skips[skips.size() - 2 - i], ups[i](out)}, 1));
  }
  return out;
}

at::Tensor InceptionUNetImpl::forward_head(const at::Tensor& features) { return head(features); }

}  // namespace ichdet::models
