#include "classifier_networks.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/zeros.h>

#include <algorithm>

#include "ichdet/aggregate/review.hpp"
#include "ichdet/attribution/explained.hpp"
#include "ichdet/core/error.hpp"
#include "ichdet/core/version.hpp"
#include "ichdet/models/load.hpp"
#include "ichdet/nn/network.hpp"
#include "trust.hpp"

namespace ichdet::pipeline {
namespace {

void check_same(const ModelSpec& first, const ModelSpec& other) {
  const auto refuse = [&](const std::string& what) {
    throw Error(ErrorCode::options, "ensemble: " + other.name + " and " + first.name + " differ in " + what);
  };
  const auto classes = [](const auto& a, const auto& b) { return a.name == b.name && a.blood == b.blood; };
  if (!std::ranges::equal(first.classes, other.classes, classes)) refuse("classes");
  const auto same_window = [](const WeightedWindow& a, const WeightedWindow& b) {
    return a.window.low_hu == b.window.low_hu && a.window.high_hu == b.window.high_hu && a.weight == b.weight;
  };
  const auto channels = [&](const auto& a, const auto& b) {
    return a.low_hu == b.low_hu && a.high_hu == b.high_hu && a.mean == b.mean && a.std == b.std && a.slice == b.slice &&
           a.brain == b.brain && std::ranges::equal(a.mix, b.mix, same_window);
  };
  if (!std::ranges::equal(first.channels, other.channels, channels)) refuse("input channels");
  const auto &a = first.image, &b = other.image;
  if (a.size != b.size || a.fit != b.fit || a.spacing_mm != b.spacing_mm || a.levels != b.levels ||
      a.exam_slices != b.exam_slices) {
    refuse("what they make of a slice");
  }
  if (first.activation != other.activation) refuse("activation");
}

ClassifierMember from_bundle(const Bundle& bundle, const PrepareOptions& how) {
  const auto network = models::load(bundle);
  const auto features = [n = network.get()](const at::Tensor& x) { return n->forward_features(x); };
  const auto gradient = [=](const attribution::Target& target) -> Forward {
    return prepare_gradient(
        network, [=](const at::Tensor& x) { return target(network->forward(x)); }, how);
  };
  return {prepare(network, how), prepare(network, features, how),
          [=](const at::Tensor& x) { return network->forward_head(x); }, gradient};
}

ClassifierMember from_callable(const Member& own, const PrepareOptions& how) {
  const auto gradient = [=](const attribution::Target& target) {
    return attribution::explained(own.forward, target).gradients;
  };
  const bool parts = own.features && own.head;
  return {prepare(own.forward, how), parts ? std::optional(prepare(own.features, how)) : std::nullopt, own.head,
          gradient};
}

}  // namespace

ClassifierNetworks::ClassifierNetworks(const std::vector<Member>& given, Task task, const ClassifierOptions& options) {
  if (given.empty()) throw Error(ErrorCode::options, "classifier: no bundle was given");
  if (options.batch < 1) {
    throw Error::mismatch(ErrorCode::options, "batch", "at least 1", std::to_string(options.batch));
  }
  how = options.network;
  if (!how.workspace) how.workspace = nn::new_workspace();
  if (how.precision == Precision::automatic) how.precision = Precision::float32;
  if (how.precision == Precision::adaptive) {
    throw Error::mismatch(ErrorCode::options, "precision", "float32 or bfloat16 for a classifier", "adaptive");
  }
  for (const auto& one : given) {
    require_task(one.spec, task);
    check_same(given.front().spec, one.spec);
    specs.push_back(one.spec);
    identities.push_back(one.identity);
    members.push_back(one.bundle ? from_bundle(*one.bundle, how) : from_callable(one, how));
  }
  rule = options.rule.value_or(spec().rule);
  check(rule);
}

SliceImages ClassifierNetworks::images(const SliceStack& stack, const ClassifierOptions& options) const {
  return {stack, spec(), options.network.threads, options.skull_strip ? &*options.skull_strip : nullptr};
}

at::Tensor ClassifierNetworks::probabilities(const at::Tensor& input) const {
  const auto count = std::int64_t(spec().classes.size());
  auto sum = at::zeros({input.size(0), count}, at::kFloat);
  for (std::size_t m = 0; m < members.size(); ++m) {
    const auto logits = members[m].whole(input);
    if (logits.dim() != 2 || logits.size(1) != count) {
      throw Error::mismatch(ErrorCode::weights, specs[m].name + ": outputs",
                            "one for each of its " + std::to_string(count) + " classes",
                            std::to_string(logits.size(-1)));
    }
    sum += spec().activation == Activation::softmax ? at::softmax(logits, 1) : at::sigmoid(logits);
  }
  return sum / double(members.size());
}

double ClassifierNetworks::blood_probability(const at::Tensor& row) const {
  const bool exclusive = spec().activation == Activation::softmax;
  double blood = 0;
  for (std::size_t c = 0; c < spec().classes.size(); ++c) {
    if (!spec().classes[c].blood) continue;
    const double p = row[std::int64_t(c)].item<float>();
    blood = exclusive ? blood + p : std::max(blood, p);
  }
  return std::clamp(blood, 0.0, 1.0);
}

std::vector<std::int64_t> ClassifierNetworks::blood_classes() const {
  std::vector<std::int64_t> blood;
  for (std::size_t c = 0; c < spec().classes.size(); ++c) {
    if (spec().classes[c].blood) blood.push_back(std::int64_t(c));
  }
  return blood;
}

const ClassifierMember& ClassifierNetworks::in_two_parts(std::size_t member) const {
  if (members[member].features) return members[member];
  throw Error(ErrorCode::options,
              specs[member].name + ": class activation maps need a network in two parts, features and head");
}

at::Tensor ClassifierNetworks::cam(const at::Tensor& image, const attribution::Target& target,
                                   const attribution::CamOptions& options, const Progress& progress) const {
  const Progress going{{}, progress.stop};
  at::Tensor sum;
  for (std::size_t m = 0; m < members.size(); ++m) {
    const auto& member = in_two_parts(m);
    const auto features = [&](const at::Tensor& x) {
      going("class activation map", 0);
      return (*member.features)(x);
    };
    const auto map = attribution::grad_cam(features, member.head, image, target, options)[0];
    sum = sum.defined() ? sum + map : map;
  }
  return sum / double(members.size());
}

attribution::Target logits_of(const std::vector<std::int64_t>& classes) {
  return [classes](const at::Tensor& output) {
    auto score = output.select(1, classes.front());
    for (std::size_t i = 1; i < classes.size(); ++i) score = score + output.select(1, classes[i]);
    return score;
  };
}

Inference ClassifierNetworks::inference(const std::vector<std::int64_t>& shape) const {
  Inference record;
  for (const auto& member : members) {
    const auto made = member.whole.preparation(shape);
    if (record.engine.empty()) {
      record.engine = to_string(made.engine);
      record.form = made.form;
      record.reason = made.reason;
    }
    record.prepare_s += made.seconds;
  }
  record.precision = to_string(how.precision);
  record.threads = how.threads;
  return record;
}

void ClassifierNetworks::calibrate(StudyResult& result, const ClassifierOptions& options) const {
  const auto own = spec().thresholds.find("study");
  const bool chosen = own != spec().thresholds.end() && !options.rule;
  ensemble::calibrate(result, spec().calibration, chosen ? std::optional(own->second) : std::nullopt);
  flag_for_review(result);
}

StudyResult ClassifierNetworks::blank_result(const SliceStack& stack) const {
  StudyResult result;
  result.version = version;
  result.bundles = identities;
  result.assumptions = stack.assumptions;
  for (const auto& c : spec().classes) result.classes.push_back(c.name);
  const auto brightest = measured_range(stack).high;
  for (const auto& member : specs) {
    const auto trust = trust_in(brightest, member);
    result.trust.ok = result.trust.ok && trust.ok;
    result.trust.reasons.insert(result.trust.reasons.end(), trust.reasons.begin(), trust.reasons.end());
  }
  return result;
}

}  // namespace ichdet::pipeline
