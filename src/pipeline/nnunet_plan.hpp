#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "json_reader.hpp"

// What nnU-Net v2's plans.json and dataset.json say of a network, as a bundle says it.
namespace ichdet::pipeline {

/// Throws Error(weights) unless dataset.json names one input channel.
void check_one_channel(const nlohmann::json& dataset, const std::string& file);

/// task, architecture, input (without orientation), patch and procedure of bundle.json. `mirrors`: the checkpoint's
/// inference_allowed_mirroring_axes. Throws Error(weights) naming `file` and the key, as import_nnunet says.
nlohmann::json bundle_of_plan(const nlohmann::json& plans, const std::string& configuration, const std::string& file,
                              const std::optional<JsonReader>& mirrors, std::size_t classes);

}  // namespace ichdet::pipeline
