#include "ichdet/pipeline/slice_segmenter.hpp"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <algorithm>
#include <numeric>
#include <span>

#include "asked_slices.hpp"
#include "classifier_networks.hpp"
#include "ichdet/aggregate/lesions.hpp"
#include "ichdet/aggregate/slices.hpp"
#include "ichdet/core/error.hpp"
#include "ichdet/models/load.hpp"
#include "ichdet/nn/network.hpp"
#include "ichdet/pipeline/slice_images.hpp"
#include "timed.hpp"

namespace ichdet {
namespace {

ClassifierOptions for_members(const SliceSegmenterOptions& options) {
  ClassifierOptions own;
  own.network = options.network;
  own.batch = options.batch;
  own.skip_empty = options.skip_empty;
  own.rule = options.rule;
  own.skull_strip = options.skull_strip;
  return own;
}

/// The only class that is blood.
std::int64_t blood_class(const ModelSpec& spec) {
  const auto count = std::ranges::count(spec.classes, true, &ClassSpec::blood);
  if (count != 1) {
    throw Error::mismatch(ErrorCode::options, spec.name + ": classes of blood", "one", std::to_string(count));
  }
  return std::ranges::find(spec.classes, true, &ClassSpec::blood) - spec.classes.begin();
}

/// Of sum 1; equal where none were given.
std::vector<double> scaled(std::vector<double> weights, std::size_t members) {
  if (weights.empty()) weights.assign(members, 1);
  if (weights.size() != members) {
    throw Error::mismatch(ErrorCode::options, "weights", std::to_string(members) + ", one for each member",
                          std::to_string(weights.size()));
  }
  const auto sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  if (!std::ranges::all_of(weights, [](double w) { return w >= 0; }) || !(sum > 0) || !std::isfinite(sum)) {
    throw Error(ErrorCode::options, "weights: expected numbers of 0 or more, not all of them 0");
  }
  for (auto& weight : weights) weight /= sum;
  return weights;
}

}  // namespace

struct SliceSegmenter::State {
  pipeline::ClassifierNetworks networks;
  SliceSegmenterOptions options;
  std::int64_t blood;
  double pixel_threshold;
  std::vector<double> fixed_weights;
  std::optional<BundleIdentity> weigher_identity;
  std::optional<PreparedNetwork> weigher;

  at::Tensor maps(const at::Tensor& images) const;
  at::Tensor weights(const at::Tensor& maps) const;
  void segment(SliceReading& found, const SliceImages& images, const std::vector<std::int64_t>& slices,
               const Progress& progress) const;
  void measure(SliceSegmentation& found) const;
};

SliceSegmenter::SliceSegmenter(const std::vector<Bundle>& members, const std::optional<Bundle>& weight_model,
                               const SliceSegmenterOptions& options)
    : SliceSegmenter(members_of(members), weight_model, options) {}

SliceSegmenter::SliceSegmenter(const std::vector<Member>& members, const std::optional<Bundle>& weight_model,
                               const SliceSegmenterOptions& options) {
  if (!(options.min_lesion_ml >= 0)) {
    throw Error::mismatch(ErrorCode::options, "min_lesion_ml", "0 or more", std::to_string(options.min_lesion_ml));
  }
  auto state = std::make_shared<State>(
      State{pipeline::ClassifierNetworks(members, Task::slice_segmentation, for_members(options)),
            options,
            0,
            0.5,
            {},
            {},
            {}});
  const auto& spec = state->networks.spec();
  state->blood = blood_class(spec);
  if (const auto own = spec.thresholds.find("pixel"); own != spec.thresholds.end())
    state->pixel_threshold = own->second;
  state->fixed_weights = scaled(options.weights, members.size());
  if (weight_model && options.weights.empty()) {
    require_task(weight_model->spec, Task::map_weights);
    if (weight_model->spec.classes.size() != members.size()) {
      throw Error::mismatch(ErrorCode::options, weight_model->spec.name + ": maps that it weighs",
                            std::to_string(members.size()) + ", one for each member",
                            std::to_string(weight_model->spec.classes.size()));
    }
    state->weigher_identity = weight_model->identity();
    state->weigher = prepare(models::load(*weight_model), state->networks.how);
  }
  state_ = std::move(state);
}

const ModelSpec& SliceSegmenter::spec() const noexcept { return state_->networks.spec(); }
const CaseRule& SliceSegmenter::rule() const noexcept { return state_->networks.rule; }
const std::string& SliceSegmenter::blood_name() const noexcept {
  return spec().classes[std::size_t(state_->blood)].name;
}

std::vector<BundleIdentity> SliceSegmenter::identities() const {
  auto all = state_->networks.identities;
  if (state_->weigher_identity) all.push_back(*state_->weigher_identity);
  return all;
}

at::Tensor SliceSegmenter::maps(const at::Tensor& images) const { return state_->maps(images); }
at::Tensor SliceSegmenter::weights(const at::Tensor& maps) const { return state_->weights(maps); }

at::Tensor SliceSegmenter::State::maps(const at::Tensor& images) const {
  std::vector<at::Tensor> all;
  for (std::size_t m = 0; m < networks.members.size(); ++m) {
    const auto logits = networks.members[m].whole(images);
    if (logits.dim() != 4 || logits.size(1) != std::int64_t(networks.spec().classes.size()) ||
        logits.size(2) != images.size(2) || logits.size(3) != images.size(3)) {
      throw Error(ErrorCode::weights, networks.specs[m].name + ": expected a map of the image's size for each class");
    }
    const bool exclusive = networks.spec().activation == Activation::softmax;
    all.push_back((exclusive ? at::softmax(logits, 1) : at::sigmoid(logits)).select(1, blood));
  }
  return at::stack(all, 1);
}

at::Tensor SliceSegmenter::State::weights(const at::Tensor& maps) const {
  if (weigher) return at::softmax((*weigher)(maps), 1);
  return at::tensor(fixed_weights, at::kFloat).expand({maps.size(0), maps.size(1)});
}

void SliceSegmenter::State::segment(SliceReading& found, const SliceImages& images,
                                    const std::vector<std::int64_t>& slices, const Progress& progress) const {
  for (std::size_t first = 0; first < slices.size(); first += std::size_t(options.batch)) {
    progress("slices", double(first) / double(slices.size()));
    const auto batch = std::span(slices).subspan(first, std::min(std::size_t(options.batch), slices.size() - first));
    const auto all = maps(images(batch));
    const auto by_member = weights(all).contiguous();
    const auto combined = (all * by_member.unsqueeze(-1).unsqueeze(-1)).sum(1).clamp(0, 1);
    for (std::size_t i = 0; i < batch.size(); ++i) {
      const auto row = by_member[std::int64_t(i)];
      found.weights[std::size_t(batch[i])].assign(row.data_ptr<float>(), row.data_ptr<float>() + row.numel());
      const auto map = images.to_slice(combined[std::int64_t(i)]);
      std::copy_n(map.data(), map.size(), found.blood.plane(batch[i]).data());
    }
  }
  progress("slices", 1);
}

void SliceSegmenter::State::measure(SliceSegmentation& found) const {
  auto& result = found.detection.result;
  const auto& labels = found.detection.labels;
  result.labels = {{1, labels.names[1]}};
  result.blood_labels = {1};
  result.volumes_ml = volumes_ml(labels);
  LesionOptions lesion_options;
  lesion_options.min_volume_ml = options.min_lesion_ml;
  result.lesions = lesions(labels, found.blood, lesion_options);
  result.slices = slice_scores(found.blood, labels.geometry, /*top_voxels=*/1);
  for (std::size_t k = 0; k < result.slices.size(); ++k) result.slices[k].computed = !found.weights[k].empty();
  result.decision = decide(result.slices, networks.rule);
  networks.calibrate(result, for_members(options));
}

SliceReading SliceSegmenter::read(const SliceStack& stack, const Progress& progress,
                                  const std::optional<std::vector<std::int64_t>>& given) const {
  const auto& state = *state_;
  const auto& spec = state.networks.spec();
  const auto threads = state.options.network.threads;
  const auto count = stack.geometry.count();
  SliceReading reading{state.networks.blank_result(stack), Array3<float>(stack.geometry.shape()),
                       std::vector<std::vector<double>>(std::size_t(count))};
  auto& result = reading.result;
  result.bundles = identities();
  result.classes.clear();
  const auto images = state.networks.images(stack, for_members(state.options));
  result.assumptions.insert(result.assumptions.end(), images.assumptions().begin(), images.assumptions().end());
  const auto slices = pipeline::asked_slices(stack, given, state.options.skip_empty, threads);
  pipeline::timed(result, "slices", [&] {
    state.segment(reading, images, slices, progress);
    return 0;
  });
  if (!given) pipeline::note_headless(result, count, std::int64_t(slices.size()));  // who names slices knows
  if (images.top() != 'A') {
    result.trust.ok = false;
    result.trust.reasons.emplace_back("the slices are not axial");
  }
  const auto& size = spec.image.size;
  result.inference = state.networks.inference({std::min(state.options.batch, std::int64_t(slices.size())),
                                               std::int64_t(spec.channels.size()), size[0], size[1]});
  result.inference.voxels = std::int64_t(slices.size()) * size[0] * size[1];
  return reading;
}

SliceSegmentation SliceSegmenter::operator()(const SliceStack& stack, const Progress& progress) const {
  const auto& state = *state_;
  const auto& geometry = stack.geometry;
  auto [result, blood, weights] = read(stack, progress);
  Array3<std::uint8_t> pixels(geometry.shape());
  const auto threshold = float(state.pixel_threshold);
  std::ranges::transform(blood, pixels.begin(), [=](float p) { return std::uint8_t(p > threshold ? 1 : 0); });
  const std::vector<std::string> names{"background", blood_name()};
  SliceSegmentation found{
      {std::move(result), SliceLabels(pixels, names, geometry), LabelMap(pixels, names, geometry.nominal())},
      std::move(blood),
      std::move(weights)};
  state.measure(found);
  return found;
}

}  // namespace ichdet
