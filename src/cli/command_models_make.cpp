#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "commands.hpp"
#include "ichdet/bundle/recipe.hpp"
#include "ichdet/pipeline/make_bundle.hpp"
#include "options.hpp"

namespace ichdet::cli {
namespace {

using nlohmann::json;

json to_json(const Recipe& recipe) {
  json all = recipe.model;
  all.update({{"name", recipe.name},
              {"title", recipe.title},
              {"citation", recipe.citation},
              {"members", recipe.members},
              {"heat_map", recipe.heat_map},
              {"training", recipe.training},
              {"stated", recipe.stated},
              {"unknown", recipe.unknown}});
  return all;
}

void list(const std::string& name, const Context& context) {
  std::vector<Recipe> recipes = name.empty() ? builtin_recipes() : std::vector{find_recipe(name)};
  if (context.json) {
    json all = json::array();
    for (const auto& recipe : recipes) all.push_back(to_json(recipe));
    std::printf("%s\n", all.dump(2).c_str());
  } else if (name.empty()) {
    std::vector<std::vector<std::string>> rows{{"NAME", "WHAT"}};
    for (const auto& recipe : recipes) rows.push_back({recipe.name, recipe.title});
    print_table(rows);
    if (!context.quiet) std::printf("\n`ichdet models recipes NAME` says what is published of one, and what is not.\n");
  } else {
    const auto& recipe = recipes.front();
    std::printf("%s\n%s\n%s\n", recipe.name.c_str(), recipe.title.c_str(), recipe.citation.c_str());
    for (const auto& sentence : recipe.stated) std::printf("  stated:  %s\n", sentence.c_str());
    for (const auto& sentence : recipe.unknown) std::printf("  unknown: %s\n", sentence.c_str());
  }
}

struct MakeArguments {
  std::string recipe, weights, out, dtype = "float32";
  std::optional<std::uint64_t> seed;
  BundleOptions bundle;
};

DType dtype_of(const std::string& name) {
  if (name == "bfloat16") return DType::bf16;
  return name == "float16" ? DType::f16 : DType::f32;
}

void make(const MakeArguments& arguments, const Context& context) {
  if (arguments.weights.empty() == !arguments.seed) {
    throw Error(ErrorCode::options, "models make: expected --weights FILE or --untrained SEED, one of them");
  }
  const auto recipe = find_recipe(arguments.recipe);
  if (arguments.seed) {
    make_untrained_bundle(recipe, *arguments.seed, arguments.out, arguments.bundle);
  } else {
    make_bundle(recipe, arguments.weights, arguments.out, arguments.bundle);
  }
  if (context.json) {
    const json made{{"recipe", recipe.name}, {"folder", arguments.out}, {"untrained", arguments.seed.has_value()}};
    std::printf("%s\n", made.dump(2).c_str());
  } else if (!context.quiet) {
    std::printf("%s: a bundle of %s%s\n", arguments.out.c_str(), recipe.name.c_str(),
                arguments.seed ? ", UNTRAINED: its weights are random numbers, and no result means anything" : "");
    if (recipe.members > 1 && recipe.model["task"] == "slice segmentation") {
      std::printf("The published system weighs %d networks: give SliceSegmenter (C++, Python) as many bundles.\n",
                  int(recipe.members));
    } else if (recipe.members > 1) {
      std::printf("The published system averages %d networks: give `ichdet %s` as many, each as --bundle FOLDER.\n",
                  int(recipe.members), recipe.model["task"] == "segmentation" ? "detect" : "classify");
    }
  }
}

}  // namespace

void add_models_make(CLI::App& models, Context& context) {
  auto* recipes = models.add_subcommand("recipes", "The published systems that a bundle can be made for");
  const auto name = std::make_shared<std::string>();
  recipes->add_option("NAME", *name, "One of them, or a YAML file");
  add_output_flags(*recipes, context, "Print JSON");
  recipes->callback([name, &context] { list(*name, context); });

  auto* command = models.add_subcommand("make", "Make a bundle of a recipe and your own weights");
  auto arguments = std::make_shared<MakeArguments>();
  auto& a = *arguments;
  command->add_option("--recipe", a.recipe, "A name from `ichdet models recipes`, its beginning, or a YAML file")
      ->required();
  command->add_option("--weights", a.weights, "A state dict: .safetensors, or .pt of torch.save");
  command->add_option("--untrained", a.seed, "Random weights of this seed instead: for trying out, never for results");
  command->add_option("-o,--out", a.out, "The bundle's folder, new or empty")->required();
  command->add_option("--name", a.bundle.name, "The bundle's name; by default the recipe's");
  command->add_option("--model-version", a.bundle.version, "The bundle's version")->capture_default_str();
  command->add_option("--licence", a.bundle.licence, "The weights' licence as an SPDX expression");
  command->add_option("--licence-file", a.bundle.licence_file, "Its text");
  command->add_option("--training-data", a.bundle.training_data, "What they were trained on, in words");
  command->add_option("--dtype", a.dtype, "How the bundle holds them; 16 bits halve it, and cost digits")
      ->check(CLI::IsMember({"float32", "bfloat16", "float16"}))
      ->capture_default_str();
  add_output_flags(*command, context, "Print JSON");
  command->callback([arguments, &context] {
    arguments->bundle.dtype = dtype_of(arguments->dtype);
    make(*arguments, context);
  });
}

}  // namespace ichdet::cli
