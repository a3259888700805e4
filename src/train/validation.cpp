#include "validation.hpp"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>

#include "autocast.hpp"
#include "ichdet/core/error.hpp"
#include "ichdet/evaluate/curves.hpp"
#include "ichdet/evaluate/figures.hpp"
#include "ichdet/evaluate/overlap.hpp"
#include "ichdet/models/segmentation_network.hpp"
#include "ichdet/train/sampling.hpp"
#include "prefetch.hpp"

namespace ichdet::train {
namespace {

constexpr std::int64_t top_pixels = 20, validation_batch = 8;
constexpr std::int64_t far_away = std::int64_t(1) << 40;  ///< indices that no training reaches

/// What a set of examples says of a network.
struct Tally {
  std::vector<double> scores;
  std::vector<std::uint8_t> truth;
  std::map<std::int64_t, evaluate::Overlap> overlaps;  ///< by study, or by example where there is none
  double loss = 0;
  std::int64_t batches = 0;
};

class Judge {
 public:
  Judge(const ModelSpec& model, const TrainingSpec& training, int workers)
      : model_(model), training_(training), workers_(workers) {
    segments_ = model.task != Task::slice_classification && model.task != Task::exam_classification;
  }

  /// `studies`: of each example; empty: each is its own.
  Tally operator()(Network& network, const Examples& examples, std::int64_t count, const Progress& progress,
                   const char* stage) const {
    Tally tally;
    const auto device = network.parameters().front().device();
    const auto size = segments_ && model_.task != Task::slice_segmentation ? training_.batch : validation_batch;
    const auto steps = (count + size - 1) / size;
    const BatchSource source = [&](std::int64_t step) { return batch_of(examples, step * size, count, size); };
    Prefetch ahead(source, 0, steps, workers_);
    for (std::int64_t step = 0; step < steps; ++step) {
      progress(stage, double(step) / double(steps));
      const auto batch = ahead.next();
      at::Tensor logits;
      {
        const Autocast autocast(training_.bfloat16, device);
        logits = network.forward(channels_last(batch.input.to(device))).to(at::kCPU, at::kFloat);
      }
      tally.loss += loss(training_.loss, logits, batch.target).item<double>();
      ++tally.batches;
      for (std::int64_t i = 0; i < logits.size(0); ++i) {
        const auto place = step * size + i;
        const auto study = examples.studies.empty() ? place : examples.studies[std::size_t(place)];
        count_in(tally, study, logits[i], batch.target[i]);
      }
    }
    return tally;
  }

 private:
  static Batch batch_of(const Examples& examples, std::int64_t first, std::int64_t count, std::int64_t size) {
    return batches([&](std::int64_t index) { return examples.at(first + index); }, std::min(size, count - first))(0);
  }

  void count_in(Tally& tally, std::int64_t study, const at::Tensor& logits, const at::Tensor& target) const {
    const auto probability = model_.activation == Activation::softmax ? at::softmax(logits, 0) : at::sigmoid(logits);
    at::Tensor blood;
    for (std::size_t i = 0; i < model_.classes.size(); ++i) {
      if (!model_.classes[i].blood) continue;
      const auto one = probability[std::int64_t(i)];
      blood = !blood.defined() ? one : model_.activation == Activation::softmax ? blood + one : at::maximum(blood, one);
    }
    if (!blood.defined()) blood = probability[probability.size(0) - 1];  // brain extraction
    if (segments_) {
      const auto known = target.ne(unknown_label);
      const auto there = blood_in(target).logical_and(known), found = (blood > 0.5).logical_and(known);
      auto& overlap = tally.overlaps[study];
      overlap.predicted += found.sum().item<std::int64_t>();
      overlap.truth += there.sum().item<std::int64_t>();
      overlap.both += found.logical_and(there).sum().item<std::int64_t>();
      const bool shows = there.any().item<bool>();
      if (!shows && !known.all().item<bool>()) return;
      const auto pixels = blood.flatten();
      tally.scores.push_back(std::get<0>(pixels.topk(std::min(top_pixels, pixels.numel()))).mean().item<double>());
      tally.truth.push_back(shows ? 1 : 0);
      return;
    }
    const auto truth = blood_of(target);
    if (std::isnan(truth)) return;
    tally.scores.push_back(blood.item<double>());
    tally.truth.push_back(truth > 0.5F ? 1 : 0);
  }

  /// Which pixels show blood; of a model without a class of blood (brain extraction), all but background.
  at::Tensor blood_in(const at::Tensor& target) const {
    at::Tensor blood;
    for (std::size_t i = 0; i < model_.classes.size(); ++i) {
      if (!model_.classes[i].blood) continue;
      const auto one = target.eq(std::int64_t(i));
      blood = blood.defined() ? blood.logical_or(one) : one;
    }
    return blood.defined() ? blood : target.ne(0);
  }

  float blood_of(const at::Tensor& target) const {
    if (model_.activation == Activation::softmax) {
      const auto index = target.item<std::int64_t>();
      if (index == unknown_label) return std::nanf("");
      return model_.classes.at(std::size_t(index)).blood ? 1.F : 0.F;
    }
    float found = std::nanf("");
    for (std::size_t i = 0; i < model_.classes.size(); ++i) {
      if (!model_.classes[i].blood) continue;
      found = std::fmax(found, target[std::int64_t(i)].item<float>());
    }
    return found;
  }

  const ModelSpec& model_;
  const TrainingSpec& training_;
  int workers_;
  bool segments_;
};

double mean_dice(const Tally& tally) {
  double sum = 0;
  std::int64_t count = 0;
  for (const auto& [study, overlap] : tally.overlaps) {
    if (overlap.truth == 0) continue;
    sum += overlap.dice();
    ++count;
  }
  return count > 0 ? sum / double(count) : std::nan("");
}

void write_values(Score& score, const Tally& tally, const std::string& place) {
  const auto put = [&](const char* name, double value) {
    if (!std::isnan(value)) score.values[place + "/" + name] = value;
  };
  const auto ranking = evaluate::rank(tally.truth, tally.scores);
  put("auc", evaluate::areas(ranking).roc_auc);
  put("dice", mean_dice(tally));
  put("loss", tally.loss / double(std::max<std::int64_t>(tally.batches, 1)));
  if (place == "painted") put("sensitivity", evaluate::sensitivity_at(ranking, 0.95));
}

/// Whether the split shows what the weights are chosen by, before hours are spent. Slices of which nothing is known
/// may be of either side.
void check_sides(const std::vector<TrainingStudy>& studies, const ModelSpec& model, const TrainingSpec& training) {
  if (model.task == Task::exam_classification || std::ranges::none_of(model.classes, &ClassSpec::blood)) return;
  std::int64_t with = 0, without = 0, unknown = 0;
  for (const auto& slice : candidates(studies, training.validation_split)) {
    ++(std::isnan(slice.blood) ? unknown : slice.blood > 0.5F ? with : without);
  }
  const bool patches = model.task == Task::segmentation || model.task == Task::brain_extraction;
  for (const auto& name : training.score) {
    if (!name.starts_with("validation/")) continue;
    const bool needs_both = name == "validation/auc" && !patches;
    if (unknown > 0 || (with > 0 && (without > 0 || !needs_both))) continue;
    throw Error::mismatch(ErrorCode::options, "training/validate/score: " + name,
                          (needs_both ? "slices with and without blood" : "slices with blood") +
                              std::string(" in the split \"") + training.validation_split + "\"",
                          std::to_string(with) + " with, " + std::to_string(without) + " without");
  }
}

}  // namespace

std::vector<at::Tensor> heads_of(Network& network, const at::Tensor& input, bool deep) {
  auto* segmenter = deep ? dynamic_cast<models::SegmentationNetwork*>(&network) : nullptr;
  if (segmenter != nullptr) return segmenter->forward_deep(input);
  return {network.forward(input)};
}

Validation make_validation(const std::vector<TrainingStudy>& studies, const ModelSpec& model,
                           const TrainingSpec& training, int workers) {
  struct Sets {
    ModelSpec model;
    TrainingSpec training;
    Examples natural, painted;
    std::int64_t natural_count = 0;
  };
  check_sides(studies, model, training);
  auto sets = std::make_shared<Sets>();
  sets->model = model;
  sets->training = training;
  ExampleOptions options;
  options.split = training.validation_split;
  options.augmented = false;
  sets->natural = make_examples(studies, model, training, options);
  const bool patches = model.task == Task::segmentation || model.task == Task::brain_extraction;
  sets->natural_count = patches ? std::max<std::int64_t>(sets->natural.epoch * 2, 4) : sets->natural.epoch;
  if (training.painted_validation > 0) {
    auto own = training;
    own.painted = 0.6;
    own.sampling.group_weights.clear();
    own.sampling.balance = SamplingOptions::Balance::uniform;
    options.augmented = true;
    options.repeat_from = far_away;
    sets->painted = make_examples(studies, model, own, options);
  }
  return [sets, workers](Network& network, const Progress& progress) {
    const Judge judge(sets->model, sets->training, workers);
    Score score;
    write_values(score, judge(network, sets->natural, sets->natural_count, progress, "validate"), "validation");
    if (sets->training.painted_validation > 0) {
      write_values(score,
                   judge(network, sets->painted, sets->training.painted_validation, progress, "validate on painted"),
                   "painted");
    }
    for (const auto& name : sets->training.score) {
      const auto found = score.values.find(name);
      if (found == score.values.end()) {
        throw Error(ErrorCode::options, "training/validate/score: \"" + name + "\" cannot be measured: the split \"" +
                                            sets->training.validation_split + "\" does not show both sides");
      }
      score.value += found->second / double(sets->training.score.size());
    }
    return score;
  };
}

}  // namespace ichdet::train
