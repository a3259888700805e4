#include <algorithm>
#include <nlohmann/json.hpp>

#include "ichdet/core/error.hpp"
#include "ichdet/nn/state_dict.hpp"
#include "ichdet/pipeline/import.hpp"
#include "read_json.hpp"

namespace ichdet {
namespace {

using nlohmann::json;

/// What each layer of model.json but the last has to be, its channels and dilation aside.
void check_layer(const json& layer, bool is_last, const std::string& where) {
  const auto expect = [&](const char* key, const json& wanted) {
    if (!layer.is_object() || layer.value(key, json()) != wanted) {
      throw Error::mismatch(ErrorCode::weights, where + "/" + key, wanted.dump(),
                            layer.is_object() ? layer.value(key, json()).dump() : layer.dump());
    }
  };
  expect("kernel_size", is_last ? 1 : 3);
  expect("stride", 1);
  const auto dilation = layer.value("dilation", json());
  if (!dilation.is_number_integer())
    throw Error::mismatch(ErrorCode::weights, where + "/dilation", "a number", dilation.dump());
  expect("padding", is_last ? json(0) : dilation);
}

std::vector<std::int64_t> dilations_of(const json& model, const std::string& file) {
  for (const auto* flag : {"bnorm", "gelu"}) {
    if (model.value(flag, json()) != true) {
      throw Error::mismatch(ErrorCode::weights, file + ": /" + flag, "true", model.value(flag, json()).dump());
    }
  }
  const auto layers = model.value("layers", json());
  if (!layers.is_array() || layers.size() < 2) {
    throw Error::mismatch(ErrorCode::weights, file + ": /layers", "a list of at least 2", layers.dump());
  }
  std::vector<std::int64_t> dilations;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    check_layer(layers[i], i + 1 == layers.size(), file + ": /layers/" + std::to_string(i));
    dilations.push_back(layers[i].at("dilation"));
  }
  dilations.pop_back();
  return dilations;
}

}  // namespace

void import_mindgrab(const std::filesystem::path& folder, const std::filesystem::path& bundle,
                     const BundleOptions& options) {
  const auto form = folder / "model.json", weights = folder / "model.pth";
  const auto dilations = dilations_of(pipeline::read_json(form), form.string());
  const auto state = read_state_dict(weights);
  const auto first = state.tensors.find("model.0.0.weight");
  if (first == state.tensors.end() || first->second.dim() != 5) {
    throw Error::mismatch(ErrorCode::weights, weights.string(), "a tensor model.0.0.weight (channels, 1, 3, 3, 3)",
                          first == state.tensors.end() ? "none" : c10::str(first->second.sizes()));
  }
  Recipe recipe;
  recipe.name = "mindgrab";
  recipe.title = "MindGrab brain extraction";
  recipe.citation = "MindGrab for BrainChop, arXiv 2506.11860 (2025)";
  recipe.model = {
      {"task", "brain extraction"},
      {"architecture",
       {{"name", "MindGrab"}, {"options", {{"channels", first->second.size(0)}, {"dilations", dilations}}}}},
      {"input",
       {{"spacing_mm", {1, 1, 1}}, {"orientation", "LIA"}, {"size", {256, 256, 256}}, {"values", "brainchop"}}},
      {"classes", {{{"name", "background"}, {"blood", false}}, {{"name", "brain"}, {"blood", false}}}}};
  make_bundle(recipe, weights, bundle, options);
}

}  // namespace ichdet
