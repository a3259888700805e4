#include "ichdet/train/training_spec.hpp"

#include <algorithm>

#include "bundle/json_node.hpp"

namespace ichdet::train {
namespace {

using bundle::Node;

double share(const Node& node) {
  const double value = node.number();
  node.expect(value >= 0 && value <= 1, "a number from 0 to 1");
  return value;
}

SamplingOptions parse_sampling(const Node& node) {
  using Balance = SamplingOptions::Balance;
  node.only({"balance", "blood_share", "groups", "images"});
  SamplingOptions options;
  options.balance = node.at("balance").choice<Balance>(
      {{"uniform", Balance::uniform}, {"undersampled", Balance::undersampled}, {"share", Balance::share}});
  if (const auto blood = node.find("blood_share")) options.blood_share = share(*blood);
  if (const auto images = node.find("images")) options.images = images->integer(2, 1'000'000'000);
  if (const auto groups = node.find("groups")) {
    groups->each([&](const std::string& name, const Node& weight) {
      options.group_weights[name] = weight.number_between(0, 1e6);
    });
  }
  return options;
}

void parse_validation(const Node& node, TrainingSpec& spec) {
  node.only({"every", "painted", "score", "split"});
  if (const auto split = node.find("split")) spec.validation_split = split->text();
  if (const auto every = node.find("every")) spec.validate_every = every->integer(1, 1'000'000'000);
  if (const auto painted = node.find("painted")) spec.painted_validation = painted->integer(0, 1'000'000);
  if (const auto score = node.find("score")) {
    for (const auto& name : score->list(1)) spec.score.push_back(name.text());
  }
}

std::vector<std::string> usual_score(Task task) {
  switch (task) {
    case Task::slice_segmentation: return {"validation/auc", "validation/dice"};
    case Task::slice_classification:
    case Task::exam_classification: return {"validation/auc"};
    default: return {"validation/dice"};
  }
}

/// What the best weights may be chosen by; more of each is better.
std::vector<std::string> measurable(Task task, bool painted) {
  const bool segments = task != Task::slice_classification && task != Task::exam_classification;
  std::vector<std::string> names{"validation/auc"};
  if (segments) names.emplace_back("validation/dice");
  if (!painted) return names;
  names.insert(names.end(), {"painted/auc", "painted/sensitivity"});
  if (segments) names.emplace_back("painted/dice");
  return names;
}

void check_score(const Node& score, Task task, bool painted) {
  const auto known = measurable(task, painted);
  std::string words;
  for (const auto& name : known) words += (words.empty() ? "" : ", ") + name;
  for (const auto& name : score.list(1)) {
    name.expect(std::ranges::find(known, name.text()) != known.end(),
                "one of " + words + (painted ? "" : " (of painted ones where validate/painted is above 0)"));
  }
}

}  // namespace

TrainingSpec parse_training(const nlohmann::json& json, const ModelSpec& model, const std::string& subject) {
  if (json.is_null()) throw Error(ErrorCode::options, subject + ": the recipe has no section \"training\"");
  const Node node(json, subject, "/training");
  node.only({"seed", "steps", "epochs", "batch", "optimizer", "schedule", "loss", "average", "precision", "sampling",
             "augment", "painted", "synthesis", "distracted", "distractors", "validate", "split"});
  TrainingSpec spec;
  const auto part = [&](const char* key) { return node.at(key).value(); };
  if (const auto seed = node.find("seed")) spec.seed = std::uint64_t(seed->integer(0, 1'000'000'000));
  if (const auto steps = node.find("steps")) spec.steps = steps->integer(1, 1'000'000'000);
  if (const auto epochs = node.find("epochs")) spec.epochs = epochs->integer(1, 1'000'000);
  node.expect((spec.steps > 0) != (spec.epochs > 0), "either steps or epochs");
  if (const auto batch = node.find("batch")) spec.batch = batch->integer(1, 4096);
  spec.optimizer = optimizer_spec(part("optimizer"), subject + ": /training");
  if (node.find("schedule")) spec.schedule = schedule_spec(part("schedule"), subject + ": /training");
  spec.loss = loss_spec(part("loss"), subject + ": /training");
  const bool sigmoid = model.activation == Activation::sigmoid;
  node.at("loss").expect((spec.loss.kind == LossSpec::Kind::binary_cross_entropy) == sigmoid,
                         sigmoid ? "\"binary cross entropy\", since the outputs are sigmoids"
                                 : "another than \"binary cross entropy\", since the outputs are a softmax");
  if (!spec.loss.class_weights.empty()) {
    node.at("loss")
        .at("class_weights")
        .expect(spec.loss.class_weights.size() == model.classes.size(),
                "one for each of " + std::to_string(model.classes.size()) + " classes");
  }
  if (const auto average = node.find("average")) {
    spec.average = average->number();
    average->expect(spec.average >= 0 && spec.average < 1, "a number from 0 to 1, without 1");
  }
  if (const auto precision = node.find("precision")) {
    spec.bfloat16 = precision->choice<bool>({{"float32", false}, {"bfloat16", true}});
  }
  if (const auto sampling = node.find("sampling")) spec.sampling = parse_sampling(*sampling);
  spec.augment =
      node.find("augment") ? augment_options(part("augment"), subject + ": /training/augment") : no_augmentation();
  if (const auto painted = node.find("painted")) spec.painted = share(*painted);
  if (node.find("synthesis")) spec.synthesis = synthesis_options(part("synthesis"), subject + ": /training/synthesis");
  if (const auto distracted = node.find("distracted")) spec.distracted = share(*distracted);
  if (node.find("distractors")) {
    spec.distractors = distractor_options(part("distractors"), subject + ": /training/distractors");
  }
  if (const auto validate = node.find("validate")) {
    parse_validation(*validate, spec);
    if (const auto score = validate->find("score")) check_score(*score, model.task, spec.painted_validation > 0);
  }
  if (spec.score.empty()) spec.score = usual_score(model.task);
  spec.split = {{"train", 0.9}, {"validation", 0.05}, {"test", 0.05}};
  if (const auto split = node.find("split")) {
    spec.split.clear();
    split->each([&](const std::string& name, const Node& part_share) {
      spec.split.push_back({name, part_share.number_between(0, 1e6)});
    });
  }
  return spec;
}

}  // namespace ichdet::train
