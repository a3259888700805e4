#include <doctest/doctest.h>

#include <algorithm>

#include "bundle/yaml.hpp"
#include "ichdet/bundle/recipe.hpp"
#include "ichdet/core/error.hpp"

using namespace ichdet;
using nlohmann::json;

TEST_CASE("yaml: the core schema's values") {
  const auto read = [](const char* text) { return bundle::parse_yaml(text, "x.yaml"); };
  CHECK(read("{a: 1, b: -2.5, c: 1e3, d: true, e: null, f: ~, g: word, h: '1', i: \"true\"}") == json{{"a", 1},
                                                                                                      {"b", -2.5},
                                                                                                      {"c", 1000.0},
                                                                                                      {"d", true},
                                                                                                      {"e", nullptr},
                                                                                                      {"f", nullptr},
                                                                                                      {"g", "word"},
                                                                                                      {"h", "1"},
                                                                                                      {"i", "true"}});
  CHECK(read("- [1, 2]\n- text with blanks\n- 1.2.3\n- .inf") == json{{1, 2}, "text with blanks", "1.2.3", ".inf"});
  CHECK(read("") == nullptr);
  CHECK_THROWS_WITH_AS(read("a: 1\nb: [1"), doctest::Contains("x.yaml: line"), Error);
  CHECK_THROWS_WITH_AS(read("a: 1\na: 2"), doctest::Contains("given twice"), Error);
  CHECK_THROWS_AS(read((std::string(200, '[') + std::string(200, ']')).c_str()), Error);
  // Aliases of aliases: 9^6 values in six lines.
  std::string bomb = "a0: &a0 [1,1,1,1,1,1,1,1,1]\n";
  for (char i = '1'; i < '7'; ++i) {
    bomb.append(1, 'a').append(1, i).append(": &a").append(1, i).append(" [");
    for (int k = 0; k < 9; ++k) bomb.append("*a").append(1, char(i - 1)).append(",");
    bomb.append("]\n");
  }
  CHECK_THROWS_WITH_AS(read(bomb.c_str()), doctest::Contains("fewer"), Error);
}

TEST_CASE("recipes: every built-in one is valid and says what is unknown") {
  const auto recipes = builtin_recipes();
  CHECK(recipes.size() == 19);
  for (const auto& recipe : recipes) {
    INFO(recipe.name);
    CHECK((!recipe.unknown.empty() || recipe.name.starts_with("ichdet")));
    CHECK(find_recipe(recipe.name).name == recipe.name);
    CHECK(recipe.model["architecture"]["name"].is_string());
  }
  CHECK(find_recipe("s1").name == "s1-efficient-classification");
  CHECK(find_recipe("s2-slice").members == 3);
  CHECK_THROWS_WITH_AS(find_recipe("s3"), doctest::Contains("s3-densenet121, s3-inception-resnet-v2"), Error);
  CHECK_THROWS_WITH_AS(find_recipe("s9"), doctest::Contains("found s9"), Error);
}

TEST_CASE("recipes: what is wrong is named") {
  const std::string good = R"(
recipe: 1
name: x
title: t
citation: c
task: slice classification
architecture: {name: ResNet18, options: {}}
input: {size: [8, 8], orientation: LPS, fit: resize, levels: float, channels: [{clip_hu: [0, 80], mean: 0, std: 1}]}
classes: [{name: a, blood: false}, {name: b, blood: true}]
output: {activation: softmax}
decision: {rule: maximum, slice_threshold: 0.5, case_threshold: 0.5}
heat_map: {method: grad-cam, aug_smooth: false, eigen_smooth: false}
)";
  CHECK(parse_recipe(good, "x.yaml").name == "x");
  const auto refused = [&](const std::string& from, const std::string& to, const std::string& part) {
    auto text = good;
    text.replace(text.find(from), from.size(), to);
    CHECK_THROWS_WITH_AS(parse_recipe(text, "x.yaml"), doctest::Contains(part.c_str()), Error);
  };
  refused("recipe: 1", "recipe: 2", "x.yaml: /recipe: expected 1");
  refused("title: t", "titel: t", "/titel: unknown key");
  refused("name: x", "name: ../x", "/name: expected a file name");
  refused("[0, 80]", "[80, 0]", "x.yaml: /input/channels/0/clip_hu");
  refused("blood: true", "blood: false", "/classes: expected a class");
  refused("aug_smooth: false", "aug_smooth: 3", "/heat_map/aug_smooth: expected true or false");
  refused("method: grad-cam", "method: xrai", "/heat_map/aug_smooth: unknown key");
  refused("method: grad-cam", "method: magic", "/heat_map/method: expected one of grad-cam, ");
  refused("clip_hu: [0, 80]", "mix: []", "/input/channels/0/mix: expected a list of at least 1");
  refused("clip_hu: [0, 80]", "mix: [{clip_hu: [0, 80]}]", "/input/channels/0/mix/0/weight: is missing");
  refused("clip_hu: [0, 80]", "clip_hu: [0, 80], mix: [{clip_hu: [0, 80], weight: 1}]", "clip_hu: unknown key");
  refused("float, channels: [{clip_hu: [0, 80]", "nearest, channels: [{mix: [{clip_hu: [0, 80], weight: 1}]",
          "/input/channels/0/mix: expected none but with");
  refused("levels: float, channels: [{clip_hu: [0, 80]",
          "clip_hu: [0, 90], levels: float, channels: [{mix: [{clip_hu: [0, 80], weight: 1}, {clip_hu: [0, 99], "
          "weight: 1}]",
          "/input/channels/0/mix/1/clip_hu: expected a window within");
  refused("decision:", "patch: {}\ndecision:", "/patch: unknown key");
}

TEST_CASE("recipes: a segmenter has a patch, may have a procedure, and no heat map") {
  const std::string good = R"(
recipe: 1
name: x
title: t
citation: c
task: segmentation
architecture: {name: DynUNet, options: {}}
input: {spacing_mm: [1, 1, 3], orientation: RAS, axes: xyz, channels: [{clip_hu: [0, 80], scale_to: [0, 1]}]}
classes: [{name: a, blood: false}, {name: b, blood: true}]
patch: {input: [8, 8, 8], output: [8, 8, 8], step: 0, padding: zero}
)";
  const auto recipe = parse_recipe(good, "x.yaml");
  CHECK(recipe.heat_map.is_null());
  CHECK(!recipe.model.contains("procedure"));
  CHECK(parse_recipe(good + "procedure: {merge: logits}\n", "x.yaml").model["procedure"]["merge"] == "logits");
  CHECK_THROWS_WITH_AS(parse_recipe(good + "procedure: {merge: 3}\n", "x.yaml"), doctest::Contains("/procedure/merge"),
                       Error);
  CHECK_THROWS_WITH_AS(parse_recipe(good + "decision: {}\n", "x.yaml"), doctest::Contains("/decision: unknown key"),
                       Error);
}
