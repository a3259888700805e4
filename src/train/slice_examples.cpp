#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>

#include "../pipeline/image_channel.hpp"
#include "example_parts.hpp"
#include "ichdet/core/error.hpp"
#include "ichdet/phantom/hemorrhage.hpp"
#include "ichdet/preprocess/masks.hpp"

// Slices with their neighbours, for classifiers and segmenters of images.
namespace ichdet::train {
namespace {

constexpr std::int64_t fewest_pixels = 4;  ///< of painted blood, for a slice to show it

class SliceSource {
 public:
  SliceSource(const std::vector<TrainingStudy>& studies, const ModelSpec& model, const TrainingSpec& training,
              const ExampleOptions& options)
      : studies_(studies), model_(model), training_(training), options_(options) {
    for (const auto& channel : model.channels) reach_ = std::max(reach_, std::abs(channel.slice));
    candidates_ = candidates(studies, options.split);
    if (candidates_.empty()) {
      throw Error(ErrorCode::options, "data: no slice in the split \"" + options.split + "\"");
    }
    if (options.augmented) sampler_.emplace(candidates_, training.sampling, training.seed);
    if (brain_channel() != model_.channels.end()) find_brains();
  }

  std::int64_t epoch() const { return sampler_ ? sampler_->epoch_size() : std::int64_t(candidates_.size()); }
  std::vector<std::int64_t> order() const {
    std::vector<std::int64_t> studies;
    for (const auto& candidate : candidates_) studies.push_back(candidate.study);
    return studies;
  }

  Example operator()(std::int64_t place) const {
    const auto index = place + options_.repeat_from;
    const auto& chosen = sampler_ ? (*sampler_)(index) : candidates_.at(std::size_t(place));
    const auto& study = studies_[std::size_t(chosen.study)];
    const auto first = std::max<std::int64_t>(chosen.slice - reach_, 0);
    const auto last = std::min(chosen.slice + reach_, study.geometry.count() - 1);
    const auto piece = piece_of(study, first, last - first + 1, training_, chosen.blood == 1, index);

    // As many slices on either side; at the ends the outermost is repeated.
    std::vector<std::int64_t> places;
    for (auto slice = chosen.slice - reach_; slice <= chosen.slice + reach_; ++slice) {
      places.push_back(std::clamp(slice, first, last) - first);
    }
    const auto selected = at::tensor(places, at::kLong);
    Slab slab;
    slab.hu = tensor_of(piece.stack.hu).index_select(0, selected);
    slab.mask = tensor_of(piece.mask).index_select(0, selected);
    slab.spacing_mm = spacing_of(piece.stack.geometry);
    Slab brain = slab;
    if (!brains_.empty()) {
      const auto& own = brains_[std::size_t(chosen.study)];
      const auto mask = tensor_of(own).narrow(0, first, last - first + 1).index_select(0, selected);
      brain.hu = at::where(mask.ne(0), slab.hu, brain_channel()->low_hu);
      brain.mask = at::Tensor();
    }
    if (options_.augmented) {
      const auto seed = draw_seed(training_.seed, Draw::augment, index);
      augment(slab, training_.augment, seed);
      if (!brains_.empty()) augment(brain, training_.augment, seed);
    }
    Example example;
    example.input = at::empty({std::int64_t(model_.channels.size()), slab.hu.size(1), slab.hu.size(2)}, at::kFloat);
    for (std::size_t c = 0; c < model_.channels.size(); ++c) {
      const auto& channel = model_.channels[c];
      const auto& hu = channel.brain && !brains_.empty() ? brain.hu : slab.hu;
      pipeline::write_channel(hu[reach_ + channel.slice], channel, model_.image.levels,
                              example.input[std::int64_t(c)].data_ptr<float>());
    }
    const auto mask = slab.mask[reach_].contiguous();
    example.painted = piece.blood && piece.blood->any();
    if (model_.task == Task::slice_segmentation) {
      example.target = mask;
    } else {
      const auto centre = std::size_t(chosen.slice - first);
      example.target =
          class_target(model_, [&](const std::string& name) { return label(study, chosen, piece, centre, name); });
      if (mask.ne(unknown_label).all().item<bool>()) example.mask = mask;
    }
    return example;
  }

 private:
  /// What is true of the middle slice once it was painted.
  float label(const TrainingStudy& study, const Candidate& chosen, const Piece& piece, std::size_t centre,
              const std::string& name) const {
    const float before = label_of(study, chosen.slice, name);
    if (!piece.blood || !piece.blood->any()) return before;
    const auto& pixels = piece.blood->pixels.at(centre);
    const auto total = std::accumulate(pixels.begin(), pixels.end(), std::int64_t(0));
    const auto answer = [&](std::int64_t count) {
      if (count >= fewest_pixels) return 1.F;
      return count > 0 || unclear(piece.mask, std::int64_t(centre)) ? std::nanf("") : before;
    };
    if (name == "any" || name == "blood") return answer(total);
    for (std::size_t type = 0; type < pixels.size(); ++type) {
      if (to_string(HemorrhageType(type + 1)) == name) return answer(pixels[type]);
    }
    return before;
  }

  static bool unclear(const Array3<std::uint8_t>& mask, std::int64_t slice) {
    return std::ranges::count(mask.plane(slice), unknown_label) >= fewest_pixels;
  }

  std::vector<ChannelSpec>::const_iterator brain_channel() const {
    return std::ranges::find(model_.channels, true, &ChannelSpec::brain);
  }

  void find_brains() {
    for (const auto& study : studies_) {
      const auto stack = stack_of(study, 0, study.geometry.count());
      BrainMaskOptions options;
      auto brain = brain_mask({stack.hu, stack.geometry.nominal()}, options);
      if (std::ranges::find(brain, 1) == brain.end()) std::ranges::fill(brain, 1);
      brains_.push_back(std::move(brain));
    }
  }

  const std::vector<TrainingStudy>& studies_;
  ModelSpec model_;
  TrainingSpec training_;
  ExampleOptions options_;
  std::int64_t reach_ = 0;
  std::vector<Candidate> candidates_;
  std::optional<Sampler> sampler_;
  std::vector<Array3<std::uint8_t>> brains_;
};

}  // namespace

Examples slice_examples(const std::vector<TrainingStudy>& studies, const ModelSpec& model, const TrainingSpec& training,
                        const ExampleOptions& options) {
  const auto source = std::make_shared<const SliceSource>(studies, model, training, options);
  Examples made{[source](std::int64_t index) { return (*source)(index); }, source->epoch(), {}};
  if (!options.augmented) made.studies = source->order();
  return made;
}

}  // namespace ichdet::train
