#include "ichdet/pipeline/slice_classifier.hpp"

#include <ATen/TensorOperators.h>

#include <algorithm>

#include "asked_slices.hpp"
#include "classifier_networks.hpp"
#include "ichdet/core/error.hpp"
#include "ichdet/pipeline/slice_images.hpp"
#include "timed.hpp"

namespace ichdet {

struct SliceClassifier::State {
  pipeline::ClassifierNetworks networks;
  ClassifierOptions options;

  std::vector<SliceScore> scores(const SliceStack& stack, const SliceImages& images, const Progress& progress,
                                 const std::optional<std::vector<std::int64_t>>& slices = {}) const;
};

SliceClassifier::SliceClassifier(const std::vector<Bundle>& members, const ClassifierOptions& options)
    : SliceClassifier(members_of(members), options) {}

SliceClassifier::SliceClassifier(const std::vector<Member>& members, const ClassifierOptions& options)
    : state_(std::make_shared<State>(
          State{pipeline::ClassifierNetworks(members, Task::slice_classification, options), options})) {}

const ModelSpec& SliceClassifier::spec() const noexcept { return state_->networks.spec(); }
std::vector<BundleIdentity> SliceClassifier::identities() const { return state_->networks.identities; }
const CaseRule& SliceClassifier::rule() const noexcept { return state_->networks.rule; }

at::Tensor SliceClassifier::probabilities(const at::Tensor& images) const {
  return state_->networks.probabilities(images);
}

std::vector<SliceScore> SliceClassifier::State::scores(const SliceStack& stack, const SliceImages& images,
                                                       const Progress& progress,
                                                       const std::optional<std::vector<std::int64_t>>& slices) const {
  const auto& geometry = stack.geometry;
  std::vector<SliceScore> scores;
  for (std::int64_t k = 0; k < geometry.count(); ++k) {
    const auto& plane = geometry.planes()[std::size_t(k)];
    const auto centre = plane.to_lps(double(geometry.rows() - 1) / 2, double(geometry.columns() - 1) / 2);
    scores.push_back({k, centre.z(), 0, plane.sop_instance_uid, false, {}});
  }
  const auto asked = pipeline::asked_slices(stack, slices, options.skip_empty, options.network.threads);
  for (const auto k : asked) scores[std::size_t(k)].computed = true;
  for (std::size_t first = 0; first < asked.size(); first += std::size_t(options.batch)) {
    progress("slices", double(first) / double(asked.size()));
    const auto batch = std::span(asked).subspan(first, std::min(std::size_t(options.batch), asked.size() - first));
    const auto rows = networks.probabilities(images(batch));
    for (std::size_t i = 0; i < batch.size(); ++i) {
      const auto row = rows[std::int64_t(i)];
      auto& score = scores[std::size_t(batch[i])];
      score.probability = networks.blood_probability(row);
      score.classes.assign(row.data_ptr<float>(), row.data_ptr<float>() + row.numel());
    }
  }
  progress("slices", 1);
  return scores;
}

std::vector<SliceScore> SliceClassifier::scores(const SliceStack& stack, const Progress& progress) const {
  return state_->scores(stack, state_->networks.images(stack, state_->options), progress);
}

StudyResult SliceClassifier::operator()(const SliceStack& stack, const Progress& progress,
                                        const std::optional<std::vector<std::int64_t>>& slices) const {
  const auto& networks = state_->networks;
  auto result = networks.blank_result(stack);
  const auto images = state_->networks.images(stack, state_->options);
  result.slices = pipeline::timed(result, "slices", [&] { return state_->scores(stack, images, progress, slices); });
  result.decision = decide(result.slices, networks.rule);
  networks.calibrate(result, state_->options);
  result.assumptions.insert(result.assumptions.end(), images.assumptions().begin(), images.assumptions().end());
  const auto computed = std::ranges::count(result.slices, true, &SliceScore::computed);
  if (!slices) pipeline::note_headless(result, std::int64_t(result.slices.size()), computed);  // who names slices knows
  if (images.top() != 'A') {
    result.trust.ok = false;
    result.trust.reasons.emplace_back("the slices are not axial");
  }
  const auto& size = spec().image.size;
  result.inference = networks.inference(
      {std::min(state_->options.batch, computed), std::int64_t(spec().channels.size()), size[0], size[1]});
  result.inference.voxels = computed * size[0] * size[1];
  return result;
}

std::vector<SliceMap> SliceClassifier::heat_maps(const SliceStack& stack, std::span<const std::int64_t> slices,
                                                 const attribution::CamOptions& options,
                                                 const Progress& progress) const {
  const auto& networks = state_->networks;
  const auto images = state_->networks.images(stack, state_->options);
  std::vector<SliceMap> maps;
  for (const auto slice : slices) {
    progress("heat maps", double(maps.size()) / double(slices.size()));
    const auto image = images(std::span(&slice, 1));
    maps.push_back({slice, images.to_slice(networks.cam(image, networks.blood_target(), options, progress))});
  }
  progress("heat maps", 1);
  return maps;
}

}  // namespace ichdet
