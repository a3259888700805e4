#include "ichdet/models/unet3d.hpp"

#include <ATen/Functions.h>

#include "unet_options.hpp"

namespace ichdet::models {
namespace {

std::shared_ptr<torch::nn::Module> child(torch::nn::Module& parent, const std::string& name) {
  return parent.register_module(name, std::make_shared<torch::nn::Module>());
}

torch::ExpandingArray<3> triple(const Axes& axes) { return torch::ExpandingArray<3>({axes[0], axes[1], axes[2]}); }

UNet3DOptions::Act act_of(OptionReader& reader) {
  using Act = UNet3DOptions::Act;
  std::string name = "prelu";
  reader.read("act", name);
  reader.check(name == "prelu" || name == "relu" || name == "leakyrelu",
               "act: expected prelu, relu or leakyrelu, found " + name);
  return name == "prelu" ? Act::prelu : name == "relu" ? Act::relu : Act::leakyrelu;
}

}  // namespace

UNet3DOptions UNet3DOptions::from_json(const nlohmann::json& json, const std::string& subject) {
  UNet3DOptions options;
  OptionReader reader(json, subject);
  reader.read("in_channels", options.in_channels, 1, 4096);
  reader.read("out_channels", options.out_channels, 1, 4096);
  reader.read("channels", options.channels);
  read_levels(reader, "strides", options.strides, 3);
  reader.read("kernel_size", options.kernel_size, 1, 31);
  reader.read("up_kernel_size", options.up_kernel_size, 1, 31);
  reader.check(options.kernel_size % 2 == 1, "kernel_size: expected an odd number");
  reader.check(options.up_kernel_size % 2 == 1, "up_kernel_size: expected an odd number");
  reader.read("num_res_units", options.num_res_units, 0, 64);
  options.act = act_of(reader);
  reader.read("negative_slope", options.negative_slope);
  read_norm(reader, options.norm);
  options.affine = options.norm == NormKind::batch;
  reader.read("affine", options.affine);
  reader.check(options.affine || options.norm == NormKind::instance, "affine: expected true for batch norm");
  reader.read("bias", options.bias);
  const auto levels = options.channels.size();
  reader.check(levels >= 2 && levels <= 16, "channels: expected 2 to 16 numbers");
  check_counts(reader, "channels", options.channels, levels, 4096);
  check_levels(reader, "strides", options.strides, levels - 1, 3, 1, 8);
  reader.finish();
  return options;
}

UNetConvolutionImpl::UNetConvolutionImpl(std::int64_t in_channels, std::int64_t out_channels, std::int64_t kernel,
                                         const Axes& stride, bool is_transposed, bool is_bare,
                                         const UNet3DOptions& options)
    : bare(is_bare), act(options.act), negative_slope(options.negative_slope) {
  if (is_transposed) {
    transposed = register_module(
        "conv", torch::nn::ConvTranspose3d(torch::nn::ConvTranspose3dOptions(in_channels, out_channels, kernel)
                                               .stride(triple(stride))
                                               .padding(kernel / 2)
                                               .output_padding({stride[0] - 1, stride[1] - 1, stride[2] - 1})
                                               .bias(options.bias)));
  } else {
    conv = register_module("conv", torch::nn::Conv3d(torch::nn::Conv3dOptions(in_channels, out_channels, kernel)
                                                         .stride(triple(stride))
                                                         .padding(kernel / 2)
                                                         .bias(options.bias)));
  }
  if (bare) return;
  auto adn = child(*this, "adn");
  if (options.affine) norm = adn->register_module("N", Norm(options.norm, out_channels));
  if (act == UNet3DOptions::Act::prelu) slope = child(*adn, "A")->register_parameter("weight", at::full(1, 0.25));
}

at::Tensor UNetConvolutionImpl::forward(const at::Tensor& x) {
  auto out = conv ? conv(x) : transposed(x);
  if (bare) return out;
  out = norm ? norm(out) : at::instance_norm(out, {}, {}, {}, {}, /*use_input_stats=*/true, 0.1, 1e-5, false);
  switch (act) {
    case UNet3DOptions::Act::prelu: return at::prelu(out, slope);
    case UNet3DOptions::Act::relu: return at::relu(out);
    case UNet3DOptions::Act::leakyrelu: return at::leaky_relu(out, negative_slope);
  }
  return out;
}

UNetResidualImpl::UNetResidualImpl(std::int64_t in_channels, std::int64_t out_channels, const Axes& stride,
                                   std::int64_t count, bool last_bare, const UNet3DOptions& options) {
  auto row = child(*this, "conv");
  for (std::int64_t i = 0; i < count; ++i) {
    units.push_back(row->register_module(
        "unit" + std::to_string(i),
        UNetConvolution(i == 0 ? in_channels : out_channels, out_channels, options.kernel_size,
                        i == 0 ? stride : Axes{1, 1, 1}, false, last_bare && i + 1 == count, options)));
  }
  const bool resized = stride != Axes{1, 1, 1};
  if (!resized && in_channels == out_channels) return;
  const auto kernel = resized ? options.kernel_size : 1;
  residual = register_module("residual", torch::nn::Conv3d(torch::nn::Conv3dOptions(in_channels, out_channels, kernel)
                                                               .stride(triple(stride))
                                                               .padding(kernel / 2)
                                                               .bias(options.bias)));
}

at::Tensor UNetResidualImpl::forward(const at::Tensor& x) {
  auto out = x;
  for (auto& unit : units) out = unit(out);
  return out + (residual ? residual(x) : x);
}

UNet3DImpl::UNet3DImpl(UNet3DOptions chosen)
    : SegmentationNetwork(chosen.in_channels, chosen.out_channels, product(chosen.strides)),
      options(std::move(chosen)) {
  const auto& channels = options.channels;
  const auto levels = channels.size() - 1, units = std::size_t(options.num_res_units);
  const auto down = [&](torch::nn::Module& parent, const std::string& name, std::int64_t in, std::int64_t out,
                        const Axes& stride) {
    Layer layer;
    if (units > 0) {
      layer.residual = UNetResidual(in, out, stride, options.num_res_units, false, options);
      parent.register_module(name, layer.residual);
    } else {
      layer.convolution = UNetConvolution(in, out, options.kernel_size, stride, false, false, options);
      parent.register_module(name, layer.convolution);
    }
    downs.push_back(std::move(layer));
  };
  auto level = child(*this, "model");
  for (std::size_t i = 0; i < levels; ++i) {
    const auto& stride = options.strides[i];
    const bool top = i == 0, bottom = i + 1 == levels;
    down(*level, "0", top ? options.in_channels : channels[i - 1], channels[i], stride);
    const auto joined = bottom ? channels[i] + channels[i + 1] : 2 * channels[i];
    const auto out = top ? options.out_channels : channels[i - 1];
    auto& up = ups.emplace_back();
    up.convolution = UNetConvolution(joined, out, options.up_kernel_size, stride, true, top && units == 0, options);
    if (units > 0) {
      auto pair = child(*level, "2");
      pair->register_module("0", up.convolution);
      up.residual = pair->register_module("1", UNetResidual(out, out, Axes{1, 1, 1}, 1, top, options));
    } else {
      level->register_module("2", up.convolution);
    }
    auto below = child(*level, "1");
    if (bottom) {
      down(*below, "submodule", channels[i], channels[i + 1], Axes{1, 1, 1});
    } else {
      level = child(*below, "submodule");
    }
  }
}

at::Tensor UNet3DImpl::Layer::operator()(const at::Tensor& x) {
  const auto out = convolution ? convolution(x) : x;
  return residual ? residual(out) : out;
}

at::Tensor UNet3DImpl::forward_features(const at::Tensor& x) {
  expect_input(x, "UNet3D");
  std::vector<at::Tensor> skips;
  auto out = x;
  for (auto& down : downs) skips.push_back(out = down(out));
  skips.pop_back();
  for (auto i = ups.size(); i-- > 1;) {
    out = ups[i](at::cat({skips.back(), out}, 1));
    skips.pop_back();
  }
  return at::cat({skips.back(), out}, 1);
}

at::Tensor UNet3DImpl::forward_head(const at::Tensor& features) { return ups.front()(features); }

}  // namespace ichdet::models
