#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <set>

#include "ichdet/bundle/bundle.hpp"
#include "ichdet/bundle/recipe.hpp"
#include "ichdet/io/nifti.hpp"
#include "ichdet/models/load.hpp"
#include "ichdet/nn/network.hpp"
#include "ichdet/phantom/phantom.hpp"
#include "ichdet/pipeline/make_bundle.hpp"
#include "ichdet/pipeline/slice_segmenter.hpp"
#include "ichdet/train/examples.hpp"
#include "ichdet/train/log.hpp"
#include "ichdet/train/manifest.hpp"
#include "ichdet/train/prepared.hpp"
#include "ichdet/train/train.hpp"
#include "ichdet/train/training_spec.hpp"
#include "io/synthetic.hpp"

// Each recipe's network, losses and examples, on two small phantoms: a few steps, the loss falls, a bundle comes out
// that opens and answers. Sizes are cut where the network takes others; batches and steps always.
using namespace ichdet;
using namespace ichdet::train;
namespace fs = std::filesystem;
using ichdet::test::TemporaryFolder;

namespace {

struct Case {
  const char* recipe;
  std::int64_t size;  ///< of images, or of patches along rows and columns; 0: the recipe's
  double learning_rate;
};

const std::vector<Case> cases = {
    {"s1", 0, 0.0003},
    {"ichdet-s1", 0, 0.0003},
    {"s2-dynunet", 64, 0.01},
    {"s2-viola-unet", 64, 0.01},
    {"s2-slice-detector", 96, 0.001},
    {"s3-densenet121", 96, 0.001},
    {"s3-inception-resnet-v2", 139, 0.001},
    {"s3-mobilenet-v2", 96, 0.001},
    {"s3-vgg19", 64, 0.0002},
    {"s3-weighted-ensemble", 96, 0.001},
    {"s4-heads-up-e1", 139, 0.0002},
    {"s4-heads-up-e2", 139, 0.0002},
    {"s4-heads-up-e3", 139, 0.0002},
    {"s4-heads-up-e4", 139, 0.0002},
    {"s5-exam-lstm", 64, 0.001},
    {"ichdet-segmenter", 96, 0.002},
    {"ichdet-classifier", 96, 0.001},
    {"skull-strip-unet3d", 64, 0.003},
};
constexpr std::int64_t steps = 6, epoch = 2;  ///< of 16 slices in batches of 8

/// Two phantoms, one of them bleeding, in every split.
fs::path write_data(const fs::path& folder) {
  std::ofstream csv(folder / "phantoms.csv");
  csv << "study,scan,mask,split,any,hemorrhage,no finding,other\n";
  for (const bool bleeds : {true, false}) {
    PhantomOptions options;
    options.seed = bleeds ? 5 : 6;
    options.rows = options.columns = 96;
    options.pixel_mm = 2.4;
    options.slices = 8;
    options.thickness_mm = 15;
    if (bleeds) options.hemorrhages.emplace_back();
    const auto study = make_phantom(options);
    const std::string name = bleeds ? "blood" : "none";
    const auto grid = study.stack.geometry.nominal();
    auto blood = study.truth.labels;
    std::ranges::transform(blood, blood.begin(), [](std::uint8_t label) { return label > 0 && label < 6 ? 1 : 0; });
    io::write_nifti(folder / (name + ".nii.gz"), Volume(study.stack.hu, grid));
    io::write_nifti(folder / (name + "_mask.nii.gz"), LabelMap(blood, {"none", "blood"}, grid));
    for (const std::string split : {"train", "validation", "select"}) {
      csv << split << "_" << name << "," << name << ".nii.gz," << name << "_mask.nii.gz," << split << ","
          << (bleeds ? ",1,0,0" : "0,0,1,0") << "\n";
    }
  }
  return folder / "phantoms.csv";
}

Recipe small(const Case& one) {
  auto recipe = find_recipe(one.recipe);
  auto& training = recipe.training;
  training.erase("epochs");
  training.erase("validate");
  training["steps"] = steps;
  training["batch"] =
      recipe.model["task"] == "slice classification" || recipe.model["task"] == "slice segmentation" ? 8 : 1;
  training["optimizer"]["learning_rate"] = one.learning_rate;
  training["schedule"] = {{"name", "constant"}};
  training["augment"] = {{"only", true}};
  training["painted"] = training["distracted"] = 0;
  training["average"] = 0;
  training["sampling"] = {{"balance", "share"}, {"blood_share", 0.5}};
  if (one.size > 0 && recipe.model["input"].contains("size")) recipe.model["input"]["size"] = {one.size, one.size};
  if (recipe.model["input"].contains("spacing_mm") && recipe.model["input"].contains("size")) {
    recipe.model["input"]["spacing_mm"] = 2.4;
  }
  if (recipe.model.contains("patch")) {
    for (const auto* key : {"input", "output"}) recipe.model["patch"][key] = {32, one.size, one.size};
    if (recipe.model.contains("procedure")) recipe.model["procedure"].erase("rescue");
  }
  return recipe;
}

}  // namespace

TEST_CASE("The cases below are the built-in recipes, none left out") {
  std::set<std::string> tried{"s3-weight-model"};  // it has a test of its own
  for (const auto& one : cases) tried.insert(find_recipe(one.recipe).name);
  for (const auto& recipe : builtin_recipes()) {
    INFO(recipe.name);
    CHECK(tried.contains(recipe.name));
  }
}

TEST_CASE("Each recipe trains on a few steps, and its bundle answers") {
  const TemporaryFolder scans;
  const auto csv = write_data(scans.path());
  for (const auto& one : cases) {
    const std::string name = one.recipe;
    CAPTURE(name);
    const TemporaryFolder folder;
    const auto recipe = small(one);
    const auto model = model_of(recipe);
    const auto studies = prepare_studies(read_manifest(csv, label_names(model)), model);
    TrainOptions options;
    options.folder = folder.path() / "training";
    options.data_words = "two phantoms";
    const auto result = train::train(recipe, studies, options);
    CHECK(result.fit.step == steps);

    const auto bundle = open_bundle(result.bundle);
    CHECK(bundle.spec.training_data == "two phantoms");
    CHECK_FALSE(bundle.spec.untrained);
    const auto network = models::load(bundle);
    const auto training = parse_training(recipe.training, model, one.recipe);
    const auto batch = batches(make_examples(studies, model, training, {}).at, training.batch)(0);
    const at::NoGradGuard no_grad;
    const auto logits = network->forward(batch.input);
    CHECK(logits.size(0) == batch.target.size(0));
    CHECK(logits.isfinite().all().item<bool>());

    std::vector<double> losses;
    for (const auto& row : read_log(options.folder / "metrics.csv")) {
      if (row.name == "train/loss") losses.push_back(row.value);
    }
    REQUIRE(losses.size() == std::size_t(steps));
    const auto mean = [](auto first) { return std::accumulate(first, first + epoch, 0.0) / epoch; };
    const double before = mean(losses.begin()), after = mean(losses.end() - epoch);
    MESSAGE(name, ": loss ", before, " to ", after);
    CHECK(after < before);
  }
}

TEST_CASE("S3's weight model learns from its members' maps, which stay as they are") {
  const TemporaryFolder folder;
  const auto csv = write_data(folder.path());
  auto member = find_recipe("s3-weighted-ensemble");
  member.model["input"]["size"] = {64, 64};
  member.model["architecture"]["options"]["filters"] = {8, 8, 8, 8, 8};
  TrainOptions options;
  options.folder = folder.path() / "training";
  for (int i = 0; i < 5; ++i) {
    options.members.push_back(folder.path() / ("member" + std::to_string(i)));
    make_untrained_bundle(member, std::uint64_t(i), options.members.back());
  }
  auto recipe = find_recipe("s3-weight-model");
  recipe.training.erase("epochs");
  recipe.training.update({{"steps", 12}, {"optimizer", {{"name", "adam"}, {"learning_rate", 0.01}}}});
  const auto model = data_model(recipe, options.members);
  const auto studies = prepare_studies(read_manifest(csv, label_names(model)), model);
  const auto result = train::train(recipe, studies, options);

  std::vector<double> losses;
  for (const auto& row : read_log(options.folder / "metrics.csv")) {
    if (row.name == "train/loss") losses.push_back(row.value);
  }
  CHECK(losses.back() < losses.front());
  SliceSegmenterOptions plain;
  const auto members = open_bundles(options.members);
  const SliceSegmenter weighed(members, open_bundle(result.bundle), plain);
  const auto maps = at::rand({2, 5, 64, 64});
  const auto weights = weighed.weights(maps);
  CHECK(at::allclose(weights.sum(1), at::ones({2})));
  CHECK_FALSE(at::allclose(weights, at::full({2, 5}, 0.2), 0, 1e-3));

  options.members.pop_back();
  CHECK_THROWS_WITH_AS(data_model(recipe, options.members), doctest::Contains("members"), Error);
}
