#include "nnunet_plan.hpp"

#include <algorithm>

namespace ichdet::pipeline {
namespace {

using nlohmann::json;

/// A configuration with what it inherits.
json resolved(const JsonReader& configurations, const std::string& name, int depth = 0) {
  const auto node = configurations.at(name);
  auto own = node.value();
  node.expect(own.is_object() && depth < 16, "an object that does not inherit from itself");
  const auto parent = node.find("inherits_from");
  if (!parent) return own;
  auto all = resolved(configurations, parent->text(), depth + 1);
  all.update(own);
  return all;
}

std::string last_part(const std::string& dotted) { return dotted.substr(dotted.rfind('.') + 1); }

/// Plans of before nnU-Net 2.4.2 state the network's parts beside the rest.
json architecture_of_old(const JsonReader& plan, std::size_t classes) {
  const auto kind = plan.at("UNet_class_name").text();
  plan.at("UNet_class_name")
      .expect(kind == "PlainConvUNet" || kind == "ResidualEncoderUNet", "PlainConvUNet or ResidualEncoderUNet");
  const auto& counts = plan.at("n_conv_per_stage_encoder").value();
  const auto base = plan.at("UNet_base_num_features").integer(), most = plan.at("unet_max_num_features").integer();
  std::vector<std::int64_t> features;
  for (std::size_t i = 0; i < counts.size(); ++i)
    features.push_back(std::min(base << std::min<std::size_t>(i, 20), most));
  return {{"name", kind},
          {"options",
           {{"input_channels", 1},
            {"num_classes", classes},
            {"features_per_stage", features},
            {"kernel_sizes", plan.at("conv_kernel_sizes").value()},
            {"strides", plan.at("pool_op_kernel_sizes").value()},
            {kind == "PlainConvUNet" ? "n_conv_per_stage" : "n_blocks_per_stage", counts},
            {"n_conv_per_stage_decoder", plan.at("n_conv_per_stage_decoder").value()},
            {"conv_bias", true},
            {"norm", "instance"},
            {"norm_eps", 1e-5}}}};
}

json architecture_of(const JsonReader& plan, std::size_t classes) {
  if (!plan.find("architecture")) return architecture_of_old(plan, classes);
  const auto node = plan.at("architecture"), given = node.at("arch_kwargs");
  const auto kind = last_part(node.at("network_class_name").text());
  node.at("network_class_name")
      .expect(kind == "PlainConvUNet" || kind == "ResidualEncoderUNet", "PlainConvUNet or ResidualEncoderUNet");
  json options{{"input_channels", 1}, {"num_classes", classes}};
  std::vector<std::string> known{"n_stages",          "conv_op", "norm_op",       "norm_op_kwargs",  "dropout_op",
                                 "dropout_op_kwargs", "nonlin",  "nonlin_kwargs", "deep_supervision"};
  for (const auto* key : {"features_per_stage", "kernel_sizes", "strides", "n_conv_per_stage", "n_blocks_per_stage",
                          "n_conv_per_stage_decoder", "conv_bias", "nonlin_first"}) {
    if (given.find(key)) options[key] = given.at(key).value();
    known.emplace_back(key);
  }
  for (const auto& [key, value] : given.object()) {
    given.expect(value.is_null() || std::ranges::find(known, key) != known.end(), "no " + key + ", which is not known");
  }
  given.at("conv_op").expect(last_part(given.at("conv_op").text()) == "Conv3d", "torch.nn...Conv3d");
  const auto norm = last_part(given.at("norm_op").text());
  given.at("norm_op").expect(norm == "InstanceNorm3d" || norm == "BatchNorm3d", "InstanceNorm3d or BatchNorm3d");
  options["norm"] = norm == "BatchNorm3d" ? "batch" : "instance";
  if (const auto norm_options = given.find("norm_op_kwargs")) {
    if (norm_options->find("eps")) options["norm_eps"] = norm_options->at("eps").number();
    norm_options->at("affine").expect_equal(true);
  }
  given.at("nonlin").expect(last_part(given.at("nonlin").text()) == "LeakyReLU", "torch.nn.LeakyReLU");
  const auto nonlin = given.find("nonlin_kwargs");
  if (nonlin && nonlin->find("negative_slope")) options["negative_slope"] = nonlin->at("negative_slope").number();
  return {{"name", kind}, {"options", options}};
}

/// Clipped to the 0.5 and 99.5 percentiles of the training foreground, then z-scored; or left alone.
json channel_of(const JsonReader& plans, const JsonReader& plan) {
  const auto schemes = plan.at("normalization_schemes").list();
  plan.at("normalization_schemes").expect(schemes.size() == 1, "one scheme, for one channel");
  const auto scheme = schemes.front().text();
  constexpr double far = 1e5;
  if (scheme == "NoNormalization") return {{"clip_hu", {-far, far}}, {"scale_to", {-far, far}}};
  schemes.front().expect(scheme == "CTNormalization", "CTNormalization or NoNormalization");
  auto properties = plans.find("foreground_intensity_properties_per_channel");
  if (!properties) properties = plans.at("foreground_intensity_properties_by_modality");
  const auto channel = properties->at("0");
  const auto low = channel.at("percentile_00_5").number(), high = channel.at("percentile_99_5").number();
  channel.at("percentile_99_5").expect(high > low, "above percentile_00_5");
  return {{"clip_hu", {low, high}},
          {"scale_to", {low, high}},
          {"mean", channel.at("mean").number()},
          {"std", std::max(channel.at("std").number(), 1e-8)}};
}

/// All subsets of the axes that were mirrored in training, as nnU-Net takes them.
json mirrored(const std::optional<JsonReader>& mirrors, bool xyz) {
  std::vector<std::string> axes;
  if (mirrors) {
    for (const auto& axis : mirrors->list()) {
      axis.expect(axis.integer() >= 0 && axis.integer() < 3, "0, 1 or 2");
      const auto index = std::size_t(axis.integer());
      axes.emplace_back(1, (xyz ? "xyz" : "zyx")[index]);
    }
  }
  auto views = json::array();
  for (std::size_t subset = 0; subset < (std::size_t(1) << axes.size()); ++subset) {
    auto flip = json::array();
    for (std::size_t i = 0; i < axes.size(); ++i) {
      if ((subset >> i & 1) != 0) flip.push_back(axes[i]);
    }
    views.push_back({{"flip", flip}});
  }
  return views;
}

json reversed(json list) {
  std::reverse(list.begin(), list.end());
  return list;
}

}  // namespace

void check_one_channel(const json& dataset, const std::string& file) {
  const JsonReader root(dataset, file);
  const auto channels = root.find("channel_names") ? root.at("channel_names") : root.at("modality");
  channels.expect(channels.object().size() == 1, "one channel");
}

json bundle_of_plan(const json& plans, const std::string& configuration, const std::string& file,
                    const std::optional<JsonReader>& mirrors, std::size_t classes) {
  const JsonReader root(plans, file);
  const auto all = resolved(root.at("configurations"), configuration);
  const JsonReader plan(all, file, "/configurations/" + configuration);
  if (const auto earlier = plan.find("previous_stage")) {
    throw Error(ErrorCode::weights, earlier->where() + ": a cascade, whose second network reads the first one's " +
                                        "answer, is not read; its first stage is");
  }
  const auto patch = plan.at("patch_size"), spacing = plan.at("spacing");
  patch.expect(patch.list().size() == 3, "three numbers: a network of slices is not read");
  spacing.expect(spacing.list().size() == 3, "three numbers");
  const auto order = root.at("transpose_forward");
  order.expect(order.value() == json{0, 1, 2} || order.value() == json{2, 1, 0}, "[0,1,2] or [2,1,0]");
  const bool xyz = order.value() == json{2, 1, 0};
  // The plan's lists follow the network's axes; a bundle's spacing is x, y, z and its patch z, y, x.
  const auto patch_zyx = xyz ? reversed(patch.value()) : patch.value();
  return {{"task", "segmentation"},
          {"architecture", architecture_of(plan, classes)},
          {"input",
           {{"spacing_mm", xyz ? spacing.value() : reversed(spacing.value())},
            {"axes", xyz ? "xyz" : "zyx"},
            {"channels", {channel_of(root, plan)}}}},
          {"patch",
           {{"input", patch_zyx},
            {"output", patch_zyx},
            {"step", 0},
            {"padding", "zero"},
            {"overlap", 0.5},
            {"blending", "nnunet gaussian"}}},
          {"procedure", {{"test_time", mirrored(mirrors, xyz)}, {"merge", "logits"}, {"inversion", "probabilities"}}}};
}

}  // namespace ichdet::pipeline
