#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "ichdet/bundle/spec.hpp"

namespace ichdet {

/// How a published system is put together: everything but its weights.
struct Recipe {
  std::string name, title, citation;
  std::int64_t members = 1;  ///< networks whose answers are averaged
  /// Of bundle.json: task, architecture, input and classes; of classifiers output and decision, of segmenters patch and
  /// procedure.
  nlohmann::json model;
  /// Of classifiers, as published: "method" ("grad-cam", ...), "aug_smooth", "eigen_smooth"; else null.
  nlohmann::json heat_map;
  nlohmann::json training;  ///< an object, read by train::parse_training; null where the recipe does not say
  std::vector<std::string> stated, unknown;  ///< what the source says, and what it does not: one sentence each
};

/// A recipe from YAML 1.2; recipes/s1_efficient_classification.yaml is an example. The model's part is validated as
/// parse_spec() does. Throws Error(weights) whose message starts with `subject` and names the place.
Recipe parse_recipe(std::string_view yaml, const std::string& subject);

/// What its bundles say of the model, but for weights and where they come from.
ModelSpec model_of(const Recipe& recipe);

/// The recipes that ichdet was built with (recipes/*.yaml), by name.
std::vector<Recipe> builtin_recipes();

/// A YAML file that exists, else the one built-in recipe whose name is, or begins with, this.
/// Throws Error(weights) that lists the names where there is none, or more than one.
Recipe find_recipe(const std::string& name_or_file);

}  // namespace ichdet
