#include <algorithm>
#include <cctype>
#include <cmath>
#include <set>

#include "monai_parts.hpp"
#include "monai_target.hpp"

namespace ichdet::pipeline {
namespace {

using nlohmann::json;

/// A name, or a list of a name and its arguments, as MONAI gives norms and activations.
struct Named {
  std::string name;  ///< in small letters
  json arguments = json::object();
};

Named named(const JsonReader& node) {
  Named result;
  if (node.value().is_string()) {
    result.name = node.text();
  } else {
    const auto parts = node.list();
    node.expect(parts.size() == 2 && parts[0].value().is_string() && parts[1].value().is_object(),
                "a name, or a list of a name and its arguments");
    result = {parts[0].text(), parts[1].value()};
  }
  std::ranges::transform(result.name, result.name.begin(), [](unsigned char c) { return char(std::tolower(c)); });
  return result;
}

void only(const JsonReader& node, const std::set<std::string>& known) {
  for (const auto& [key, value] : node.object()) {
    node.expect(known.contains(key) || value.is_null(), "no " + key + ", which is not known");
  }
}

void copy(const JsonReader& from, json& to, std::initializer_list<const char*> keys) {
  for (const auto* key : keys) {
    const auto found = from.find(key);
    if (!found) continue;
    found->expect(!found->value().is_string(), "a number, a list, true or false");
    to[key] = found->value();
  }
}

/// Sets `norm` and, where `affine_key` is given, whether it has weight and bias.
void read_norm(const JsonReader& network, const char* key, json& options, bool has_affine_option) {
  const auto node = network.find(key);
  const auto norm = node ? named(*node) : Named{"instance", json::object()};
  const auto where = node ? *node : network;
  where.expect(norm.name == "instance" || norm.name == "batch", "instance or batch norm");
  const bool affine = norm.name == "batch" || norm.arguments.value("affine", json(false)) == json(true);
  where.expect(norm.arguments.value("eps", json(1e-5)) == json(1e-5), "eps 1e-5");
  where.expect(norm.name == "instance" || norm.arguments.value("affine", json(true)) == json(true),
               "affine batch norm");
  options["norm"] = norm.name;
  if (has_affine_option) {
    options["affine"] = affine;
  } else {
    where.expect(affine, "norm with \"affine\": true");
  }
}

json dynunet(const JsonReader& network) {
  only(network,
       {"_target_", "spatial_dims", "in_channels", "out_channels", "kernel_size", "strides", "upsample_kernel_size",
        "filters", "dropout", "norm_name", "act_name", "deep_supervision", "deep_supr_num", "res_block", "trans_bias"});
  network.at("spatial_dims").expect_equal(3);
  json options{{"deep_supervision", false}, {"deep_supr_num", 1}, {"res_block", false}, {"trans_bias", false}};
  copy(network, options,
       {"in_channels", "out_channels", "kernel_size", "strides", "upsample_kernel_size", "filters", "deep_supervision",
        "deep_supr_num", "res_block", "trans_bias"});
  network.at("strides").expect(network.at("strides").value().is_array(), "a list");
  if (!options.contains("filters")) {
    auto filters = json::array();
    for (std::size_t i = 0; i < network.at("strides").value().size(); ++i) {
      filters.push_back(std::min<std::int64_t>(std::int64_t(1) << std::min<std::size_t>(i + 5, 20), 320));
    }
    options["filters"] = filters;
  }
  if (network.find("norm_name")) {
    read_norm(network, "norm_name", options, false);
  } else {
    options["norm"] = "instance";  // MONAI's own default is affine
  }
  const auto act_node = network.find("act_name");
  const auto act = act_node ? named(*act_node) : Named{"leakyrelu", {{"negative_slope", 0.01}}};
  if (act_node) act_node->expect(act.name == "leakyrelu", "leakyrelu");
  options["negative_slope"] = act.arguments.value("negative_slope", json(0.01));
  return {{"name", "DynUNet"}, {"options", options}};
}

json unet(const JsonReader& network) {
  only(network, {"_target_", "spatial_dims", "in_channels", "out_channels", "channels", "strides", "kernel_size",
                 "up_kernel_size", "num_res_units", "act", "norm", "dropout", "bias", "adn_ordering"});
  network.at("spatial_dims").expect_equal(3);
  if (const auto ordering = network.find("adn_ordering")) {
    ordering->expect(ordering->value() == "NDA" || ordering->value() == "NAD" || ordering->value() == "NA", "\"NDA\"");
  }
  json options = json::object();
  copy(
      network, options,
      {"in_channels", "out_channels", "channels", "strides", "kernel_size", "up_kernel_size", "num_res_units", "bias"});
  read_norm(network, "norm", options, true);
  const auto act_node = network.find("act");
  const auto act = act_node ? named(*act_node) : Named{"prelu", json::object()};
  if (act_node) {
    act_node->expect(act.name == "prelu" || act.name == "relu" || act.name == "leakyrelu", "prelu, relu or leakyrelu");
  }
  options["act"] = act.name;
  if (act.name == "leakyrelu") options["negative_slope"] = act.arguments.value("negative_slope", json(0.01));
  return {{"name", "UNet3D"}, {"options", options}};
}

}  // namespace

json architecture_of_monai(const JsonReader& network) {
  const auto target = target_of(network);
  if (target == "DynUNet") return dynunet(network);
  if (target == "UNet") return unet(network);
  throw Error::mismatch(ErrorCode::weights, network.where() + "#_target_", "DynUNet or UNet", target);
}

}  // namespace ichdet::pipeline
