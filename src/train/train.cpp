#include "ichdet/train/train.hpp"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <span>

#include "../pipeline/write_text.hpp"
#include "ichdet/attribution/grad_cam.hpp"
#include "ichdet/bundle/bundle.hpp"
#include "ichdet/bundle/sha256.hpp"
#include "ichdet/core/error.hpp"
#include "ichdet/models/create.hpp"
#include "ichdet/models/load_weights.hpp"
#include "ichdet/nn/device.hpp"
#include "ichdet/nn/state_dict.hpp"
#include "ichdet/pipeline/make_bundle.hpp"
#include "ichdet/train/examples.hpp"
#include "ichdet/train/training_spec.hpp"
#include "record.hpp"
#include "validation.hpp"
#include "weighed_maps.hpp"

namespace ichdet::train {
namespace {

namespace fs = std::filesystem;

std::shared_ptr<Network> begin(const Recipe& recipe, const TrainingSpec& training, const TrainOptions& options) {
  const auto model = model_of(recipe);
  at::manual_seed(training.seed);
  const auto network = models::create(model.architecture, model.options, "recipe " + recipe.name);
  if (!options.initial.empty()) {
    const auto weights = fs::is_directory(options.initial) ? to_state_dict(open_bundle(options.initial).weights)
                                                           : read_state_dict(options.initial);
    models::load_weights(*network, weights, models::Fit::adapted);
  }
  if (options.members.empty()) return network;
  return std::make_shared<WeighedMaps>(options.members, network);
}

Objective objective_of(const ModelSpec& model, const TrainingSpec& training) {
  const bool deep = !training.loss.deep_supervision.empty();
  if (training.loss.localisation <= 0) {
    return [=](Network& network, const Batch& batch) {
      return deep_loss(training.loss, heads_of(network, batch.input, deep), batch.target);
    };
  }
  const auto blood = std::ranges::find(model.classes, true, &ClassSpec::blood) - model.classes.begin();
  return [=](Network& network, const Batch& batch) {
    if (!batch.mask.defined()) {
      throw Error(ErrorCode::options, "training/loss/localisation: needs a mask for each slice it learns from");
    }
    const auto features = network.forward_features(batch.input);
    const auto [logits, gradient] = attribution::head_gradient(
        [&](const at::Tensor& f) { return network.forward_head(f); }, features, attribution::class_score(blood),
        /*create_graph=*/true);
    const auto map = attribution::unscaled_map(features, gradient);
    return loss(training.loss, logits, batch.target) + training.loss.localisation * localisation(map, batch.mask);
  };
}

FitOptions fit_options(const TrainingSpec& training, std::int64_t epoch, const TrainOptions& options,
                       const std::string& identity) {
  FitOptions fit;
  fit.epoch = std::max<std::int64_t>(epoch / training.batch, 1);
  fit.steps = training.steps > 0 ? training.steps : training.epochs * fit.epoch;
  fit.log_every = std::clamp<std::int64_t>(fit.steps / 50, 1, 20);
  fit.validate_every = training.validate_every;
  fit.minutes = options.minutes;
  fit.optimizer = training.optimizer;
  fit.schedule = training.schedule;
  fit.average = training.average;
  fit.bfloat16 = training.bfloat16;
  fit.workers = options.workers;
  fit.device = find_device(options.device, "train: device");
  fit.seed = training.seed;
  fit.identity = identity;
  return fit;
}

/// Of all that must be the same for a training to go on.
std::string identity_of(const Recipe& recipe, const std::vector<TrainingStudy>& studies, const TrainOptions& options) {
  auto all = recipe.model.dump() + recipe.training.dump() + data_hash(studies, options.split_hash);
  for (const auto& member : options.members) all += open_bundle(member).sha256;
  if (fs::is_directory(options.initial)) {
    all += open_bundle(options.initial).sha256;
  } else if (!options.initial.empty()) {
    all += sha256_of_file(options.initial);
  }
  return sha256(std::as_bytes(std::span(all)));
}

/// Without the name that WeighedMaps puts before them.
StateDict own_weights(StateDict weights) {
  const std::string prefix = "weigher.";
  std::map<std::string, at::Tensor> own;
  for (auto& [name, tensor] : weights.tensors)
    own[name.starts_with(prefix) ? name.substr(prefix.size()) : name] = tensor;
  weights.tensors = std::move(own);
  return weights;
}

}  // namespace

ModelSpec data_model(const Recipe& recipe, const std::vector<fs::path>& members) {
  auto model = model_of(recipe);
  const bool weighs = model.task == Task::map_weights;
  if (weighs != !members.empty()) {
    throw Error(ErrorCode::options, "recipe " + recipe.name +
                                        (weighs ? ": weighs the maps of members, and none is given"
                                                : ": weighs no maps, and has no members"));
  }
  if (!weighs) return model;
  if (members.size() != model.classes.size()) {
    throw Error::mismatch(ErrorCode::options, "recipe " + recipe.name + ": members",
                          std::to_string(model.classes.size()), std::to_string(members.size()));
  }
  auto images = open_bundle(members.front()).spec;
  require_task(images, Task::slice_segmentation);
  images.classes = {{"background", false}, {"hemorrhage", true}};
  images.activation = Activation::softmax;
  return images;
}

TrainResult train(const Recipe& recipe, const std::vector<TrainingStudy>& studies, const TrainOptions& options,
                  const Progress& progress) {
  const auto model = data_model(recipe, options.members);
  const auto training = parse_training(recipe.training, model, "recipe " + recipe.name);
  const auto network = begin(recipe, training, options);
  const auto examples = make_examples(studies, model, training, {});
  const auto fit_with = fit_options(training, examples.epoch, options, identity_of(recipe, studies, options));

  TrainResult result;
  result.fit = fit(*network, batches(examples.at, training.batch), objective_of(model, training),
                   make_validation(studies, model, training, options.workers), fit_with, options.folder, progress);
  const auto record = record_of(recipe, training, options, studies, result.fit);
  pipeline::write_text(options.folder / "record.json", record.dump(2) + "\n");
  if (result.fit.step < fit_with.steps) return result;

  BundleOptions bundle;
  bundle.name = options.name.empty() ? recipe.name : options.name;
  bundle.version = options.version;
  bundle.licence = options.licence;
  bundle.licence_file = options.licence_file;
  bundle.training_data = options.data_words;
  bundle.split_sha256 = options.split_hash;
  bundle.metrics = {
      {"chosen by",
       {{"split", training.validation_split}, {"step", result.fit.best_step}, {"values", record["at_best"]}}}};
  if (fs::is_directory(options.initial)) bundle.parent = open_bundle(options.initial).identity();
  result.bundle = options.folder / "bundle";
  if (fs::exists(result.bundle)) return result;
  const auto best = options.folder / "best.safetensors";
  make_bundle(recipe, own_weights(read_state_dict(best)), {best}, result.bundle, bundle);
  result.made = true;
  return result;
}

}  // namespace ichdet::train
