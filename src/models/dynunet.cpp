#include "ichdet/models/dynunet.hpp"

#include <ATen/Functions.h>

#include "layers.hpp"
#include "unet_options.hpp"

namespace ichdet::models {
namespace {

DynUNetOptions completed(DynUNetOptions options) {
  options.complete(options.viola_att ? "ViolaUnet" : "DynUNet");
  return options;
}

/// Padded as MONAI does for a stride.
Convolution strided(std::int64_t in_channels, std::int64_t out_channels, const Axes& kernel, const Axes& stride) {
  auto made = convolution(in_channels, out_channels, kernel, stride, false);
  for (std::size_t axis = 0; axis < kernel.size(); ++axis) made->padding[axis] = (kernel[axis] - stride[axis] + 1) / 2;
  return made;
}

/// MONAI's wrapper around a convolution: `<name>.conv`.
Convolution wrapped(torch::nn::Module& parent, const std::string& name, Convolution child) {
  return parent.register_module(name, std::make_shared<torch::nn::Module>())->register_module("conv", child);
}

/// `output_block` and its kin: `conv.conv`.
Convolution out_block(std::int64_t in_channels, const DynUNetOptions& options, torch::nn::Module& block) {
  return wrapped(block, "conv", pointwise(in_channels, options.out_channels, options.strides.front().size()));
}

}  // namespace

DynBlockImpl::DynBlockImpl(std::int64_t in_channels, std::int64_t out_channels, const Axes& kernel, const Axes& stride,
                           bool with_residual, const DynUNetOptions& options)
    : conv1(wrapped(*this, "conv1", strided(in_channels, out_channels, kernel, stride))),
      conv2(wrapped(*this, "conv2", convolution(out_channels, out_channels, kernel, ones(kernel), false))),
      norm1(register_module("norm1", Norm(options.norm, out_channels))),
      norm2(register_module("norm2", Norm(options.norm, out_channels))),
      residual(with_residual),
      negative_slope(options.negative_slope) {
  if (!residual || (in_channels == out_channels && stride == ones(stride))) return;
  conv3 = wrapped(*this, "conv3", convolution(in_channels, out_channels, ones(kernel), stride, false));
  norm3 = register_module("norm3", Norm(options.norm, out_channels));
}

at::Tensor DynBlockImpl::forward(const at::Tensor& x) {
  auto out = norm2(conv2(at::leaky_relu(norm1(conv1(x)), negative_slope)));
  if (residual) out = out + (conv3 ? norm3(conv3(x)) : x);
  return at::leaky_relu(out, negative_slope);
}

DynUpBlockImpl::DynUpBlockImpl(std::int64_t in_channels, std::int64_t skip_channels, std::int64_t out_channels,
                               const Axes& kernel, const Axes& factor, const DynUNetOptions& options)
    : transp_conv(wrapped(*this, "transp_conv", upsampling(in_channels, out_channels, factor, options.trans_bias))) {
  const auto joined = out_channels + skip_channels;
  if (options.viola_att) canc_att = register_module("canc_att", ViolaAttention(joined));
  conv_block = register_module("conv_block", DynBlock(joined, out_channels, kernel, ones(kernel),
                                                      /*with_residual=*/false, options));
}

at::Tensor DynUpBlockImpl::join(const at::Tensor& x, const at::Tensor& skip) {
  const auto out = transp_conv(x);
  return canc_att ? at::cat({skip, out}, 1) : at::cat({out, skip}, 1);
}

at::Tensor DynUpBlockImpl::forward(const at::Tensor& x, const at::Tensor& skip) {
  const auto joined = join(x, skip);
  return conv_block(canc_att ? canc_att(joined) : joined);
}

DynUNetImpl::DynUNetImpl(DynUNetOptions chosen)
    : SegmentationNetwork(chosen.in_channels, chosen.out_channels, product(chosen.strides)),
      options(completed(std::move(chosen))) {
  const auto levels = options.strides.size();
  for (std::size_t level = 0; level < levels; ++level) {
    downs.emplace_back(level == 0 ? options.in_channels : options.filters[level - 1], options.filters[level],
                       options.kernel_size[level], options.strides[level], options.res_block, options);
  }
  register_module("input_block", downs.front());
  register_list(*this, "downsamples", std::vector<DynBlock>(downs.begin() + 1, downs.end() - 1));
  register_module("bottleneck", downs.back());

  auto below = options.filters.back();
  for (auto level = levels - 1; level-- > 0;) {
    const auto width = options.dec_filters[level];
    upsamples.emplace_back(below, options.filters[level], width, options.kernel_size[level + 1],
                           options.upsample_kernel_size[level], options);
    below = width;
  }
  register_list(*this, "upsamples", upsamples);
  output_block = out_block(options.dec_filters.front(), options,
                           *register_module("output_block", std::make_shared<torch::nn::Module>()));
  if (!options.deep_supervision) return;
  auto heads = register_module("deep_supervision_heads", std::make_shared<torch::nn::Module>());
  for (std::int64_t i = 0; i < options.deep_supr_num; ++i) {
    deep_supervision_heads.push_back(
        out_block(options.dec_filters[std::size_t(i) + 1], options,
                  *heads->register_module(std::to_string(i), std::make_shared<torch::nn::Module>())));
  }
}

std::vector<at::Tensor> DynUNetImpl::encode(const at::Tensor& x) {
  expect_input(x, options.viola_att ? "ViolaUnet" : "DynUNet");
  std::vector<at::Tensor> maps;
  for (auto& block : downs) maps.push_back(block(maps.empty() ? x : maps.back()));
  return maps;
}

std::vector<at::Tensor> DynUNetImpl::decode(const std::vector<at::Tensor>& encoded) {
  std::vector<at::Tensor> maps;
  for (std::size_t i = 0; i < upsamples.size(); ++i) {
    const auto& skip = encoded[encoded.size() - 2 - i];
    maps.push_back(upsamples[i](i == 0 ? encoded.back() : maps.back(), skip));
  }
  return maps;
}

at::Tensor DynUNetImpl::forward_features(const at::Tensor& x) { return decode(encode(x)).back(); }

at::Tensor DynUNetImpl::forward_head(const at::Tensor& features) { return output_block(features); }

std::vector<at::Tensor> DynUNetImpl::forward_deep(const at::Tensor& x) {
  const auto maps = decode(encode(x));
  std::vector<at::Tensor> logits{output_block(maps.back())};
  for (std::size_t i = 0; i < deep_supervision_heads.size(); ++i) {
    logits.push_back(deep_supervision_heads[i](maps[maps.size() - 2 - i]));
  }
  return logits;
}

std::string DynUNetImpl::own_name(const std::string& name) const {
  const std::string skips = "skip_layers.", next = "next_layer.";
  if (!name.starts_with(skips)) return name;
  auto rest = name.substr(skips.size());
  std::size_t level = 0;
  for (; rest.starts_with(next); ++level) rest.erase(0, next.size());
  if (level == upsamples.size()) return "bottleneck." + rest;
  if (level > upsamples.size()) return name;
  if (level == 0 && rest.starts_with("super_head.")) return name;
  const auto renamed = [&](const std::string& part, const std::string& own) {
    return rest.starts_with(part) ? own + rest.substr(part.size()) : std::string();
  };
  for (const auto& own :
       {renamed("downsample.", level == 0 ? "input_block." : "downsamples." + std::to_string(level - 1) + "."),
        renamed("upsample.", "upsamples." + std::to_string(upsamples.size() - 1 - level) + "."),
        renamed("super_head.", "deep_supervision_heads." + std::to_string(level - 1) + ".")}) {
    if (!own.empty()) return own;
  }
  return name;
}

}  // namespace ichdet::models
