#include "bundle/json_node.hpp"
#include "ichdet/train/losses.hpp"
#include "ichdet/train/optimizer.hpp"

// What a recipe says of losses, optimisers and schedules.
namespace ichdet::train {
namespace {

using bundle::Node;

void read(const Node& node, const char* key, double& value, double low, double high) {
  if (const auto found = node.find(key)) {
    const auto number = found->number();
    found->expect(number >= low && number <= high,
                  "a number from " + nlohmann::json(low).dump() + " to " + nlohmann::json(high).dump());
    value = number;
  }
}

void read(const Node& node, const char* key, bool& value) {
  if (const auto found = node.find(key)) value = found->truth();
}

void read(const Node& node, const char* key, std::int64_t& value, std::int64_t low, std::int64_t high) {
  if (const auto found = node.find(key)) value = found->integer(low, high);
}

void read(const Node& node, const char* key, std::vector<double>& values) {
  const auto found = node.find(key);
  if (!found) return;
  values.clear();
  double sum = 0;
  for (const auto& entry : found->list(1)) {
    values.push_back(entry.number());
    entry.expect(values.back() >= 0, "a number of 0 or more");
    sum += values.back();
  }
  found->expect(sum > 0, "numbers that are not all 0");
}

}  // namespace

LossSpec loss_spec(const nlohmann::json& json, const std::string& subject) {
  using Kind = LossSpec::Kind;
  const Node node(json, subject, "/loss");
  LossSpec spec;
  spec.kind = node.at("name").choice<Kind>({{"cross entropy", Kind::cross_entropy},
                                            {"focal", Kind::focal},
                                            {"dice", Kind::dice},
                                            {"dice + cross entropy", Kind::dice_cross_entropy},
                                            {"tversky", Kind::tversky},
                                            {"binary cross entropy", Kind::binary_cross_entropy}});
  std::set<std::string> keys{"name", "deep_supervision", "localisation"};
  const bool overlaps = spec.kind == Kind::dice || spec.kind == Kind::dice_cross_entropy || spec.kind == Kind::tversky;
  const bool entropy = spec.kind == Kind::cross_entropy || spec.kind == Kind::dice_cross_entropy;
  if (overlaps) keys.insert({"background", "batch", "smooth"});
  if (entropy) keys.insert("smoothing");
  if (spec.kind != Kind::dice && spec.kind != Kind::tversky) keys.insert("class_weights");
  if (spec.kind == Kind::focal) keys.insert("gamma");
  if (spec.kind == Kind::tversky) keys.insert({"false_positive", "false_negative"});
  node.only(keys);
  read(node, "class_weights", spec.class_weights);
  read(node, "smoothing", spec.smoothing, 0, 0.99);
  read(node, "gamma", spec.gamma, 0, 20);
  read(node, "false_positive", spec.false_positive, 0, 1);
  read(node, "false_negative", spec.false_negative, 0, 1);
  read(node, "background", spec.overlap.background);
  read(node, "batch", spec.overlap.batch);
  read(node, "smooth", spec.overlap.smooth, 0, 1e6);
  read(node, "deep_supervision", spec.deep_supervision);
  read(node, "localisation", spec.localisation, 0, 1e6);
  return spec;
}

OptimizerSpec optimizer_spec(const nlohmann::json& json, const std::string& subject) {
  using Kind = OptimizerSpec::Kind;
  const Node node(json, subject, "/optimizer");
  OptimizerSpec spec;
  spec.kind = node.at("name").choice<Kind>({{"sgd", Kind::sgd}, {"adam", Kind::adam}, {"adamw", Kind::adamw}});
  std::set<std::string> keys{"name", "learning_rate", "weight_decay", "clip_gradient"};
  if (spec.kind == Kind::sgd) {
    keys.insert({"momentum", "nesterov"});
  } else {
    keys.insert({"beta1", "beta2", "epsilon"});
  }
  node.only(keys);
  spec.learning_rate = node.at("learning_rate").number_between(0, 1e3);
  read(node, "momentum", spec.momentum, 0, 0.9999);
  read(node, "nesterov", spec.nesterov);
  read(node, "weight_decay", spec.weight_decay, 0, 10);
  read(node, "beta1", spec.beta1, 0, 0.999999);
  read(node, "beta2", spec.beta2, 0, 0.999999);
  read(node, "epsilon", spec.epsilon, 1e-16, 1);
  read(node, "clip_gradient", spec.clip_gradient, 0, 1e6);
  return spec;
}

ScheduleSpec schedule_spec(const nlohmann::json& json, const std::string& subject) {
  using Kind = ScheduleSpec::Kind;
  const Node node(json, subject, "/schedule");
  ScheduleSpec spec;
  spec.kind = node.at("name").choice<Kind>(
      {{"constant", Kind::constant}, {"polynomial", Kind::polynomial}, {"step", Kind::step}, {"cosine", Kind::cosine}});
  std::set<std::string> keys{"name", "warm_up"};
  if (spec.kind == Kind::polynomial) keys.insert("power");
  if (spec.kind == Kind::step) keys.insert({"factor", "every_epochs"});
  node.only(keys);
  read(node, "power", spec.power, 0.01, 10);
  read(node, "factor", spec.factor, 1e-6, 1);
  read(node, "every_epochs", spec.every_epochs, 1, 1000000);
  read(node, "warm_up", spec.warm_up, 0, 1000000);
  return spec;
}

}  // namespace ichdet::train
