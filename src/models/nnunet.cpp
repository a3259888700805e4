#include "ichdet/models/nnunet.hpp"

#include <ATen/Functions.h>

#include "layers.hpp"
#include "unet_options.hpp"

namespace ichdet::models {
namespace {

NnUNetOptions checked(NnUNetOptions options) {
  options.check(options.residual ? "ResidualEncoderUNet" : "PlainConvUNet");
  return options;
}

at::Tensor average(const at::Tensor& x, const Axes& window) {
  return window.size() == 3 ? at::avg_pool3d(x, window, window) : at::avg_pool2d(x, window, window);
}

/// StackedConvBlocks: `convs.0`, ..., the first of this stride.
std::vector<NnLayer> stacked(torch::nn::Module& parent, std::int64_t count, std::int64_t in_channels,
                             std::int64_t out_channels, const Axes& kernel, const Axes& stride,
                             const NnUNetOptions& options) {
  std::vector<NnLayer> layers;
  for (std::int64_t i = 0; i < count; ++i) {
    layers.emplace_back(i == 0 ? in_channels : out_channels, out_channels, kernel, i == 0 ? stride : ones(stride),
                        options.conv_bias, /*linear=*/false, options);
  }
  register_list(parent, "convs", layers);
  return layers;
}

std::shared_ptr<torch::nn::Module> child(torch::nn::Module& parent, const std::string& name) {
  return parent.register_module(name, std::make_shared<torch::nn::Module>());
}

template <class Layer>
at::Tensor through(std::vector<Layer>& layers, at::Tensor x) {
  for (auto& layer : layers) x = layer(x);
  return x;
}

}  // namespace

NnLayerImpl::NnLayerImpl(std::int64_t in_channels, std::int64_t out_channels, const Axes& kernel, const Axes& stride,
                         bool bias, bool is_linear, const NnUNetOptions& options)
    : conv(register_module("conv", convolution(in_channels, out_channels, kernel, stride, bias))),
      norm(register_module("norm", Norm(options.norm, out_channels, options.norm_eps))),
      linear(is_linear),
      nonlin_first(options.nonlin_first),
      negative_slope(options.negative_slope) {}

at::Tensor NnLayerImpl::forward(const at::Tensor& x) {
  const auto out = conv(x);
  if (linear) return norm(out);
  if (nonlin_first) return norm(at::leaky_relu(out, negative_slope));
  return at::leaky_relu(norm(out), negative_slope);
}

NnResidualImpl::NnResidualImpl(std::int64_t in_channels, std::int64_t out_channels, const Axes& kernel,
                               const Axes& stride_, const NnUNetOptions& options)
    : conv1(register_module("conv1", NnLayer(in_channels, out_channels, kernel, stride_, options.conv_bias,
                                             /*is_linear=*/false, options))),
      conv2(register_module("conv2", NnLayer(out_channels, out_channels, kernel, ones(stride_), options.conv_bias,
                                             /*is_linear=*/true, options))),
      stride(stride_),
      negative_slope(options.negative_slope) {
  if (in_channels == out_channels) return;
  skip = child(*this, "skip")
             ->register_module(stride == ones(stride) ? "0" : "1",
                               NnLayer(in_channels, out_channels, ones(kernel), ones(stride), /*bias=*/false,
                                       /*is_linear=*/true, options));
}

at::Tensor NnResidualImpl::forward(const at::Tensor& x) {
  const auto pooled = stride == ones(stride) ? x : average(x, stride);
  return at::leaky_relu(conv2(conv1(x)) + (skip ? skip(pooled) : pooled), negative_slope);
}

NnUNetImpl::NnUNetImpl(NnUNetOptions chosen)
    : SegmentationNetwork(chosen.input_channels, chosen.num_classes, product(chosen.strides)),
      options(checked(std::move(chosen))) {
  make_encoder();
  make_decoder();
}

void NnUNetImpl::make_encoder() {
  auto encoder = child(*this, "encoder");
  auto channels = options.input_channels;
  if (options.residual) {
    stem = stacked(*child(*encoder, "stem"), 1, channels, options.features_per_stage.front(),
                   options.kernel_sizes.front(), ones(options.strides.front()), options);
    channels = options.features_per_stage.front();
  }
  auto list = child(*encoder, "stages");
  for (std::size_t s = 0; s < options.strides.size(); ++s) {
    const auto features = options.features_per_stage[s], count = options.n_per_stage[s];
    const auto& kernel = options.kernel_sizes[s];
    const auto& stride = options.strides[s];
    auto stage = child(*list, std::to_string(s));
    if (options.residual) {
      auto& blocks = residual_stages.emplace_back();
      for (std::int64_t i = 0; i < count; ++i) {
        blocks.emplace_back(i == 0 ? channels : features, features, kernel, i == 0 ? stride : ones(stride), options);
      }
      register_list(*stage, "blocks", blocks);
    } else {
      plain_stages.push_back(stacked(*child(*stage, "0"), count, channels, features, kernel, stride, options));
    }
    channels = features;
  }
}

void NnUNetImpl::make_decoder() {
  auto decoder = child(*this, "decoder");
  auto list = child(*decoder, "stages");
  for (std::size_t level = options.strides.size() - 1; level-- > 0;) {
    const auto features = options.features_per_stage[level];
    const auto name = std::to_string(stages.size());
    transpconvs.push_back(
        upsampling(options.features_per_stage[level + 1], features, options.strides[level + 1], options.conv_bias));
    stages.push_back(stacked(*child(*list, name), options.n_conv_per_stage_decoder[stages.size()], 2 * features,
                             features, options.kernel_sizes[level], ones(options.strides[level]), options));
    seg_layers.push_back(pointwise(features, options.num_classes, options.strides[level].size()));
  }
  register_list(*decoder, "transpconvs", transpconvs);
  register_list(*decoder, "seg_layers", seg_layers);
}

std::vector<at::Tensor> NnUNetImpl::decoded(const at::Tensor& x) {
  expect_input(x, options.residual ? "ResidualEncoderUNet" : "PlainConvUNet");
  std::vector<at::Tensor> skips;
  auto out = through(stem, x);
  for (auto& stage : plain_stages) skips.push_back(out = through(stage, out));
  for (auto& stage : residual_stages) skips.push_back(out = through(stage, out));
  std::vector<at::Tensor> maps;
  for (std::size_t s = 0; s < stages.size(); ++s) {
    const auto joined = at::cat({transpconvs[s](out), skips[skips.size() - 2 - s]}, 1);
    maps.push_back(out = through(stages[s], joined));
  }
  return maps;
}

at::Tensor NnUNetImpl::forward_features(const at::Tensor& x) { return decoded(x).back(); }

at::Tensor NnUNetImpl::forward_head(const at::Tensor& features) { return seg_layers.back()(features); }

std::vector<at::Tensor> NnUNetImpl::forward_deep(const at::Tensor& x) {
  const auto maps = decoded(x);
  std::vector<at::Tensor> logits;
  for (auto s = maps.size(); s-- > 0;) logits.push_back(seg_layers[s](maps[s]));
  return logits;
}

std::string NnUNetImpl::own_name(const std::string& name) const {
  const std::string encoder = "decoder.encoder.", sequence = ".all_modules.";
  auto own = name.starts_with(encoder) ? name.substr(std::string("decoder.").size()) : name;
  const auto at = own.find(sequence);
  if (at == std::string::npos) return own;
  // The convolution comes first; what else has parameters is the norm.
  const auto index = at + sequence.size(), dot = own.find('.', index);
  if (dot == std::string::npos) return name;
  const auto layer = own.substr(index, dot - index) == "0" ? ".conv" : ".norm";
  return own.substr(0, at) + layer + own.substr(dot);
}

}  // namespace ichdet::models
