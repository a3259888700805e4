#include <doctest/doctest.h>

#include <algorithm>

#include "ichdet/bundle/recipe.hpp"
#include "ichdet/models/create.hpp"

using namespace ichdet;

TEST_CASE("recipes: every architecture is one that ichdet has, with options that it knows") {
  const auto known = models::architectures();
  for (const auto& recipe : builtin_recipes()) {
    INFO(recipe.name);
    const auto name = recipe.model["architecture"]["name"].get<std::string>();
    CHECK(std::ranges::find(known, name) != known.end());
    if (name == "VGG19" || name == "InceptionResNetV2") continue;  // hundreds of MB of random numbers
    CHECK_NOTHROW(models::create(name, recipe.model["architecture"]["options"], recipe.name));
  }
}
