#include "ichdet/models/deepmedic.hpp"

#include <torch/nn/functional/upsampling.h>

#include <nlohmann/json.hpp>

#include "ichdet/core/error.hpp"

namespace ichdet::models {
namespace {

std::string text(const Triple& size) {
  return std::to_string(size[0]) + " x " + std::to_string(size[1]) + " x " + std::to_string(size[2]);
}

/// The package's crop_center: for odd differences it depends on both sizes being odd or even.
at::Tensor crop_center(at::Tensor x, const Triple& size) {
  for (std::int64_t axis = 0; axis < 3; ++axis) {
    const auto n = size[std::size_t(axis)];
    x = x.narrow(axis + 2, x.size(axis + 2) / 2 - n / 2, n);
  }
  return x;
}

Triple path_input_size(const Triple& output, const Triple& scale, std::size_t blocks) {
  Triple input;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    input[axis] = ((output[axis] + scale[axis] - 1) / scale[axis] + 2 * std::int64_t(blocks)) * scale[axis];
  }
  return input;
}

template <class Child>
void register_list(torch::nn::Module& parent, const std::string& name, const std::vector<Child>& children,
                   std::size_t first_index) {
  auto list = std::make_shared<torch::nn::Module>();
  for (std::size_t i = 0; i < children.size(); ++i) list->register_module(std::to_string(first_index + i), children[i]);
  parent.register_module(name, list);
}

}  // namespace

DeepMedicOptions DeepMedicOptions::from_json(const nlohmann::json& json, const std::string& subject) {
  DeepMedicOptions options;
  for (const auto& [key, value] : json.items()) {
    try {
      if (key == "input_channels")
        value.get_to(options.input_channels);
      else if (key == "num_classes")
        value.get_to(options.num_classes);
      else if (key == "scale_factors")
        value.get_to(options.scale_factors);
      else if (key == "feature_maps")
        value.get_to(options.feature_maps);
      else if (key == "fully_connected")
        value.get_to(options.fully_connected);
      else
        throw Error(ErrorCode::weights, subject + ": /architecture/options/" + key + ": unknown key");
    } catch (const nlohmann::json::exception& e) {
      throw Error(ErrorCode::weights, subject + ": /architecture/options/" + key + ": " + e.what());
    }
  }
  const auto check = [&](bool ok, const std::string& what) {
    if (!ok) throw Error(ErrorCode::weights, subject + ": /architecture/options/" + what);
  };
  const auto within = [&](const std::string& key, std::int64_t value) {
    check(value >= 1 && value <= 4096, key + ": expected 1 to 4096, found " + std::to_string(value));
  };
  within("input_channels", options.input_channels);
  within("num_classes", options.num_classes);
  check(!options.scale_factors.empty() && options.scale_factors.size() <= 16,
        "scale_factors: expected 1 to 16 of them");
  check(!options.feature_maps.empty() && options.feature_maps.size() <= 64, "feature_maps: expected 1 to 64 of them");
  check(options.fully_connected.size() <= 64, "fully_connected: expected at most 64 of them");
  for (const auto& scale : options.scale_factors) {
    for (const auto factor : scale) within("scale_factors", factor);
  }
  for (const auto maps : options.feature_maps) within("feature_maps", maps);
  for (const auto maps : options.fully_connected) within("fully_connected", maps);
  return options;
}

PreActBlockImpl::PreActBlockImpl(std::int64_t in_channels, std::int64_t out_channels, std::int64_t kernel)
    : bn(register_module("bn", torch::nn::BatchNorm3d(in_channels))),
      conv(register_module("conv",
                           torch::nn::Conv3d(torch::nn::Conv3dOptions(in_channels, out_channels, kernel).bias(false)))),
      prelu(register_module("prelu", torch::nn::PReLU())) {}

at::Tensor PreActBlockImpl::forward(const at::Tensor& x) {
  auto out = conv(prelu(bn(x)));
  if (x.size(1) == out.size(1)) out = out + crop_center(x, {out.size(2), out.size(3), out.size(4)});
  return out;
}

DeepMedicPathImpl::DeepMedicPathImpl(const Triple& scale_factor, std::int64_t input_channels,
                                     const std::vector<std::int64_t>& feature_maps)
    : scale(scale_factor) {
  for (const auto maps : feature_maps) {
    blocks.emplace_back(input_channels, maps, 3);
    input_channels = maps;
  }
  register_list(*this, "path", blocks, 1);  // index 0 is the package's down-sampling
}

at::Tensor DeepMedicPathImpl::forward(const at::Tensor& x, const Triple& output_size) {
  auto out = crop_center(x, path_input_size(output_size, scale, blocks.size()));
  for (std::int64_t axis = 0; axis < 3; ++axis) {
    const auto step = scale[std::size_t(axis)];
    out = out.slice(axis + 2, step / 2, std::nullopt, step);
  }
  for (auto& block : blocks) out = block(out);
  out = torch::nn::functional::interpolate(
      out, torch::nn::functional::InterpolateFuncOptions()
               .scale_factor(std::vector<double>{double(scale[0]), double(scale[1]), double(scale[2])})
               .mode(torch::kNearest));
  return crop_center(out, output_size);
}

DeepMedicImpl::DeepMedicImpl(DeepMedicOptions chosen) : options(std::move(chosen)) {
  for (std::size_t i = 0; i < options.scale_factors.size(); ++i) {
    const auto& s = options.scale_factors[i];
    const auto name = "path(" + std::to_string(s[0]) + ", " + std::to_string(s[1]) + ", " + std::to_string(s[2]) + ")" +
                      std::to_string(i);
    paths.emplace_back(s, options.input_channels, options.feature_maps);
    register_module(name, paths.back());
  }
  auto channels = options.feature_maps.back() * std::int64_t(paths.size());
  auto widths = options.fully_connected;
  widths.push_back(options.num_classes);
  for (const auto width : widths) {
    head.emplace_back(channels, width, 1);
    channels = width;
  }
  register_list(*this, "fully_connected", head, 0);
}

Triple DeepMedicImpl::input_size(const Triple& output_size) const {
  return path_input_size(output_size, options.scale_factors.front(), options.feature_maps.size());
}

Triple DeepMedicImpl::output_size(const Triple& input) const {
  const auto& scale = options.scale_factors.front();
  Triple output;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    output[axis] = (input[axis] / scale[axis] - 2 * std::int64_t(options.feature_maps.size())) * scale[axis];
  }
  if (output[0] <= 0 || output[1] <= 0 || output[2] <= 0 || input_size(output) != input) {
    throw Error::mismatch(ErrorCode::shape, "DeepMedic's input",
                          "a size such as " + text(input_size(scale)) + ", growing in steps of " + text(scale),
                          text(input));
  }
  return output;
}

at::Tensor DeepMedicImpl::forward_features(const at::Tensor& x) {
  if (x.dim() != 5 || x.size(1) != options.input_channels) {
    throw Error::mismatch(ErrorCode::shape, "DeepMedic's input",
                          "(N, " + std::to_string(options.input_channels) + ", D, H, W)", c10::str(x.sizes()));
  }
  const auto size = output_size({x.size(2), x.size(3), x.size(4)});
  std::vector<at::Tensor> features;
  for (auto& path : paths) features.push_back(path(x, size));
  return at::cat(features, 1);
}

at::Tensor DeepMedicImpl::forward_head(const at::Tensor& features) {
  auto x = features;
  for (auto& block : head) x = block(x);
  return x;
}

}  // namespace ichdet::models
