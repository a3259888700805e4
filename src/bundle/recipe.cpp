#include "ichdet/bundle/recipe.hpp"

#include <fstream>
#include <iterator>
#include <set>

#include "embedded.hpp"
#include "ichdet/bundle/spec.hpp"
#include "json_node.hpp"
#include "yaml.hpp"

namespace ichdet {
namespace {

namespace fs = std::filesystem;
using bundle::Node;

constexpr std::uintmax_t longest_recipe = 1u << 20;
/// What of a recipe is a bundle's: required, and allowed, for the task.
struct ModelKeys {
  std::set<std::string> required, optional;
};

ModelKeys model_keys(const Node& root) {
  ModelKeys keys{{"task", "architecture", "input", "classes"}, {}};
  const auto is = [&](Task task) { return root.at("task").value() == to_string(task); };
  if (is(Task::segmentation)) {
    keys.required.insert("patch");
    keys.optional.insert("procedure");
  } else if (is(Task::map_weights)) {
    keys.required.erase("input");
  } else {
    keys.required.insert({"output", "decision"});
  }
  if (is(Task::slice_segmentation)) keys.optional.insert("thresholds");
  return keys;
}

std::vector<std::string> sentences(const Node& root, const char* key) {
  std::vector<std::string> all;
  if (const auto node = root.find(key)) {
    for (const auto& sentence : node->list(0)) all.push_back(sentence.text());
  }
  return all;
}

const nlohmann::json& parse_heat_map(const Node& node) {
  const bool smooths =
      node.at("method").choice<bool>({{"grad-cam", true}, {"grad-cam++", true}, {"eigen-cam", true}, {"xrai", false}});
  if (!smooths) {
    node.only({"method"});
    return node.value();
  }
  node.only({"method", "aug_smooth", "eigen_smooth"});
  node.at("aug_smooth").truth();
  node.at("eigen_smooth").truth();
  return node.value();
}

/// What a recipe leaves open, filled so that the rest can be validated as a bundle's.
nlohmann::json completed(const Recipe& recipe) {
  nlohmann::json bundle = recipe.model;
  bundle.update({{"schema", ModelSpec::schema},
                 {"name", recipe.name},
                 {"version", "1"},
                 {"provenance",
                  {{"source", "none"},
                   {"authors", "none"},
                   {"citation", recipe.citation},
                   {"converted_by", "none"},
                   {"files", nlohmann::json::object()}}},
                 {"licence", {{"spdx", "none"}, {"file", "LICENSE"}}},
                 {"not_for_clinical_use", true},
                 {"training_data", ""},
                 {"metrics", nlohmann::json::object()},
                 {"weights", {{"file", "weights.safetensors"}, {"sha256", std::string(64, '0')}}}});
  return bundle;
}

}  // namespace

Recipe parse_recipe(std::string_view yaml, const std::string& subject) {
  const auto document = bundle::parse_yaml(yaml, subject);
  const Node root(document, subject, "");
  root.at("recipe").expect(root.at("recipe").value() == 1, "1, the version of recipes that ichdet reads");
  std::set<std::string> keys{"recipe", "name", "title", "citation", "members", "training", "stated", "unknown"};
  const auto [required, optional] = model_keys(root);
  const bool explains =
      required.contains("decision") && !optional.contains("thresholds");  // a classifier, by heat maps
  if (explains) keys.insert("heat_map");
  keys.insert(required.begin(), required.end());
  keys.insert(optional.begin(), optional.end());
  root.only(keys);
  Recipe recipe;
  recipe.name = root.at("name").file_name();
  recipe.title = root.at("title").text();
  recipe.citation = root.at("citation").text();
  if (const auto members = root.find("members")) recipe.members = members->integer(1, 100);
  for (const auto& key : required) recipe.model[key] = root.at(key).value();
  for (const auto& key : optional) {
    if (const auto node = root.find(key)) recipe.model[key] = node->value();
  }
  if (const auto training = root.find("training")) {
    training->expect(training->value().is_object(), "an object");
    recipe.training = training->value();
  }
  if (explains) recipe.heat_map = parse_heat_map(root.at("heat_map"));
  recipe.stated = sentences(root, "stated");
  recipe.unknown = sentences(root, "unknown");
  parse_spec(completed(recipe), subject);
  return recipe;
}

ModelSpec model_of(const Recipe& recipe) { return parse_spec(completed(recipe), "recipe " + recipe.name); }

std::vector<Recipe> builtin_recipes() {
  std::vector<Recipe> recipes;
  for (const auto& [name, text] : embedded::recipes) {
    recipes.push_back(parse_recipe(text, "recipes/" + std::string(name)));
  }
  return recipes;
}

Recipe find_recipe(const std::string& name_or_file) {
  std::error_code failed;
  if (const fs::path file = name_or_file; fs::is_regular_file(file, failed)) {
    std::ifstream in(file, std::ios::binary);
    if (!in || fs::file_size(file, failed) > longest_recipe) {
      throw Error(ErrorCode::weights, name_or_file + ": cannot be read, or is longer than a recipe");
    }
    return parse_recipe(std::string(std::istreambuf_iterator<char>(in), {}), name_or_file);
  }
  std::vector<Recipe> found;
  std::string names;
  for (auto& recipe : builtin_recipes()) {
    names += (names.empty() ? "" : ", ") + recipe.name;
    if (recipe.name == name_or_file) return recipe;
    if (!name_or_file.empty() && recipe.name.starts_with(name_or_file)) found.push_back(std::move(recipe));
  }
  if (found.size() == 1) return found.front();
  throw Error::mismatch(ErrorCode::weights, "recipe", "a YAML file, or a name or its beginning out of " + names,
                        name_or_file);
}

}  // namespace ichdet
